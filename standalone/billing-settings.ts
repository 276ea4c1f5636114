/** Settings for selling plans by Stripe (docs/plans.md). */
import { Secret } from '@porttunneler/shared/base/secret'
import type { Payments } from '@porttunneler/shared/control/money/payments'
import { noPayments } from '@porttunneler/shared/control/money/payments-none'
import { openPayments } from '@porttunneler/shared/payments/open'
import { z } from 'zod'

const webhookSecret = z
  .string()
  .startsWith('whsec_', 'the signing secret of a webhook endpoint')
  .transform((text) => new Secret(text))

export const billingSchema = z.strictObject({
  key: z
    .string()
    .regex(/^(sk|rk)_/, 'a secret or restricted key of Stripe')
    .transform((text) => new Secret(text)),
  /** `ptunctl billing sync --apply` shows it once. Without it nothing that is paid is noticed for up to a week. */
  webhookSecret: webhookSecret.optional(),
  /** The secret of the endpoint for thin events, by which Stripe refuses reports of transfer. */
  eventsSecret: webhookSecret.optional(),
  /** For tests: a stand-in for Stripe on this machine. */
  server: z
    .url({ protocol: /^http$/, hostname: /^(localhost|127\.0\.0\.1)$/, error: 'only this machine' })
    .optional(),
})
export type BillingSettings = z.infer<typeof billingSchema>

export function paymentsOf(settings: BillingSettings | undefined): Payments {
  if (!settings) return noPayments
  const { key, server } = settings
  if (server === undefined) return openPayments({ key })
  const { hostname, port } = new URL(server)
  return openPayments({ key, server: { host: hostname, port, protocol: 'http' } })
}

export function webhookSecretsOf(settings: BillingSettings | undefined): readonly Secret[] {
  return [settings?.webhookSecret, settings?.eventsSecret].flatMap((secret) => secret ?? [])
}

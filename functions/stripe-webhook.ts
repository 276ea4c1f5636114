/** `stripeWebhook`: Stripe's reports about payments (shared/payments/webhook.ts). */
import { fail } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { Control } from '@porttunneler/shared/control/control'
import { takeWebhook } from '@porttunneler/shared/payments/webhook'
import { answering, type Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'

/** @throws cloud.environment without the endpoint's secret */
export function cloudStripeWebhook({ control, settings }: Cloud): Fetch {
  const { stripeSecrets } = settings
  if (stripeSecrets.length === 0) throw fail('cloud.environment', 'STRIPE_WEBHOOK_SECRET: missing')
  return stripeWebhook(control, stripeSecrets)
}

export function stripeWebhook(control: Control, secrets: readonly Secret[]): Fetch {
  const { log, settings } = control
  return answering((request) => takeWebhook(control, request, secrets), { log, docsUrl: settings.docsUrl })
}

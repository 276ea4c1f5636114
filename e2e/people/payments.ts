/** The server in Stripe's place for a walk. Webhooks go out by themselves, as soon as something happens. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { snapshotEvents } from '@porttunneler/shared/control/money/event-types'
import { sdkOf } from '@porttunneler/shared/testing/stripe/sdk'
import { startStripe } from '@porttunneler/shared/testing/stripe/server'

const deliverEveryMs = 250

export type WalkPayments = {
  /** Its address, the key, and the secret of the endpoint that it reports to. */
  readonly url: string
  readonly key: string
  readonly secret: string
  close(): Promise<void>
}

/** @param console port of the console and the API */
export async function startPayments(console: string | undefined): Promise<WalkPayments> {
  const stripe = await startStripe({ clock: systemClock, settings: { localWebhooks: true } })
  const hooks = await sdkOf(stripe).webhookEndpoints.create({
    url: `http://localhost:${console}/hooks/stripe`,
    enabled_events: [...snapshotEvents],
  })
  const timer = systemClock.every(deliverEveryMs, () => void stripe.deliver())
  return {
    url: stripe.url,
    key: stripe.key,
    secret: hooks.secret ?? '',
    close: async () => {
      timer.clear()
      await stripe.close()
    },
  }
}

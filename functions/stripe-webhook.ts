/**
 * `stripeWebhook`: Stripe's reports about payments. Anybody may call it, so nothing counts before the signature is
 * checked. It returns 200 only for recorded events: in every other case Stripe delivers the event again for 3 days.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { Control } from '@porttunneler/shared/control/control'
import { type PaymentHandlers, receivePaymentEvent } from '@porttunneler/shared/control/payment-events'
import { answering, type Fetch } from './answers.ts'
import type { Cloud } from './cloud.ts'
import { readStripeEvent } from './platform/payments.stripe.ts'

/** Stripe's largest events have some tens of KiB. */
const bodyBytesMax = 1024 * 1024

export type StripeWebhookDeps = {
  readonly control: Control
  /** This endpoint's secret, from Stripe's dashboard. */
  readonly secret: Secret
  /** By event type; other types are acknowledged. */
  readonly handlers: PaymentHandlers
}

/** @throws cloud.environment without the endpoint's secret */
export function cloudStripeWebhook({ control, settings }: Cloud): Fetch {
  const { stripeSecret: secret } = settings
  if (!secret) throw fail('cloud.environment', 'STRIPE_WEBHOOK_SECRET: missing')
  return stripeWebhook({ control, secret, handlers: new Map() })
}

export function stripeWebhook({ control, secret, handlers }: StripeWebhookDeps): Fetch {
  const { log, settings } = control
  return answering(
    async (request) => {
      const body = await readBody(request)
      const event = readStripeEvent(body, request.headers.get('stripe-signature') ?? '', secret)
      const outcome = await receivePaymentEvent(control, event, handlers)
      log.info({ event: event.id, type: event.type, outcome }, 'a payment event was received')
      return Response.json({ received: true, outcome })
    },
    { log, docsUrl: settings.docsUrl },
  )
}

/** @throws api.too_large before it holds more than the limit */
async function readBody(request: Request): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw fail('api.too_large', `The body may have ${bodyBytesMax / 1024} KiB.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Stripe as the payment service: so far only its webhooks, which are believed only with its signature. */
import { fail } from '@porttunneler/shared/base/errors'
import type { Secret } from '@porttunneler/shared/base/secret'
import type { PaymentEvent } from '@porttunneler/shared/control/payment-events'
import Stripe from 'stripe'
import { z } from 'zod'

/** Ids as Stripe makes them; they become document ids. */
const eventSchema = z.object({
  id: z.string().regex(/^evt_[A-Za-z0-9_]{1,100}$/),
  type: z.string().min(1).max(100),
  data: z.object({ object: z.object({ id: z.string().max(255).optional() }) }),
})

/**
 * @param body exactly the bytes that came
 * @throws stripe.signature unless Stripe signed it for this endpoint within the last 5 min; stripe.event
 */
export function readStripeEvent(body: Buffer, signature: string, secret: Secret): PaymentEvent {
  const event = eventSchema.safeParse(verified(body, signature, secret))
  if (!event.success) throw fail('stripe.event', undefined, { cause: event.error })
  const { id, type, data } = event.data
  return { id, type, object: data.object.id ?? '' }
}

function verified(body: Buffer, signature: string, secret: Secret): unknown {
  try {
    return Stripe.webhooks.constructEvent(body, signature, secret.reveal())
  } catch (cause) {
    if (cause instanceof SyntaxError) throw fail('stripe.event', undefined, { cause })
    throw fail('stripe.signature', undefined, { cause })
  }
}

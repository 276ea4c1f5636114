/** Webhooks of Stripe, believed only with its signature. Two endpoints, two secrets; either may have signed. */
import { Stripe } from 'stripe'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { PaymentEvent } from '../control/money/inbox.ts'

/** Ids as Stripe makes them; they become document ids. */
const id = z.string().regex(/^[A-Za-z0-9_-]{1,120}$/)
const reference = z.union([id, z.object({ id }).transform((one) => one.id), z.null()]).optional()
const snapshotSchema = z.object({
  object: z.literal('event'),
  id,
  type: z.string().min(1).max(100),
  data: z.object({
    object: z.object({
      id: z.string().max(255).optional(),
      object: z.string().max(100).optional(),
      customer: reference,
      charge: reference,
    }),
  }),
})
/** Thin events name their object alone. */
const thinSchema = z.object({
  object: z.literal('v2.core.event'),
  id,
  type: z.string().min(1).max(100),
  related_object: z.object({ id: z.string().max(255) }).nullish(),
})

/**
 * @param body exactly the bytes that came
 * @param nowMs the time that signatures are compared with: they are good for 5 min
 * @throws stripe.signature unless Stripe signed it for one of the endpoints; stripe.event
 */
export function readStripeEvent(
  body: Buffer,
  signature: string,
  { secrets, nowMs }: { readonly secrets: readonly Secret[]; readonly nowMs: number },
): PaymentEvent {
  const given = verified(body, signature, { secrets, nowMs })
  const thin = thinSchema.safeParse(given)
  if (thin.success) {
    const { id: event, type, related_object: object } = thin.data
    return { id: event, type, object: object?.id ?? '', customer: '', charge: '' }
  }
  return snapshotOf(given)
}

/** @throws stripe.event unless it is one */
export function snapshotOf(given: unknown): PaymentEvent {
  const event = snapshotSchema.safeParse(given)
  if (!event.success) throw fail('stripe.event', undefined, { cause: event.error })
  const { object, customer, charge } = event.data.data.object
  const own = event.data.data.object.id ?? ''
  return {
    id: event.data.id,
    type: event.data.type,
    object: own,
    customer: object === 'customer' ? own : (customer ?? ''),
    charge: object === 'charge' ? own : (charge ?? ''),
  }
}

function verified(
  body: Buffer,
  signature: string,
  { secrets, nowMs }: { readonly secrets: readonly Secret[]; readonly nowMs: number },
): unknown {
  let last: unknown
  for (const secret of secrets)
    try {
      const { signature: check } = Stripe.webhooks
      check?.verifyHeader(body, signature, secret.reveal(), toleranceSeconds, undefined, nowMs)
      return JSON.parse(body.toString('utf8')) as unknown
    } catch (cause) {
      if (cause instanceof SyntaxError) throw fail('stripe.event', undefined, { cause })
      last = cause
    }
  throw fail('stripe.signature', undefined, { cause: last })
}

const toleranceSeconds = 300

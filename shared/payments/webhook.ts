/**
 * Stripe's reports about payments, on both platforms. Anybody may call it, so nothing counts before the signature is
 * checked. It returns 200 only for stored events: in every other case Stripe delivers the event again for 3 days.
 */
import { fail } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { Control } from '../control/control.ts'
import { receiveEvent } from '../control/money/inbox.ts'
import { readStripeEvent } from './stripe-events.ts'

/** Stripe's largest events have some tens of KiB. */
const bodyBytesMax = 1024 * 1024

/**
 * @param secrets of the endpoint, and of the one for thin events
 * @throws stripe.signature, stripe.event, api.too_large
 */
export async function takeWebhook(
  control: Control,
  request: Request,
  secrets: readonly Secret[],
): Promise<Response> {
  const body = await readBody(request)
  const signature = request.headers.get('stripe-signature') ?? ''
  const event = readStripeEvent(body, signature, { secrets, nowMs: control.clock.now() })
  const outcome = await receiveEvent(control, event)
  control.log.info({ event: event.id, type: event.type, outcome }, 'a payment event was received')
  return Response.json({ received: true, outcome })
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

/**
 * Events of the payment service, each with one effect: the first delivery creates the event's document, and a repeated
 * one finds it handled. A handler must tolerate running again, because it may die half-way.
 */
import { isFailure } from '../base/errors.ts'
import type { Control } from './control.ts'
import { globalCollection } from './names.ts'

/** Id: the event's own id. */
type StripeEventDoc = {
  readonly type: string
  readonly object: string
  /** An event that stays `received` is handled when Stripe repeats it. */
  readonly state: 'received' | 'handled' | 'ignored'
  readonly receivedAt: number
  readonly ttl: Date
}
const stripeEvents = globalCollection<StripeEventDoc>('stripeEvents')

/**
 * What we use of an event. Handlers fetch the present state themselves, since events may come late and in any order.
 */
export type PaymentEvent = {
  readonly id: string
  readonly type: string
  /** Id of its object, '' if it has none. */
  readonly object: string
}
export type PaymentHandlers = ReadonlyMap<string, (control: Control, event: PaymentEvent) => Promise<void>>

const keepMs = 90 * 24 * 3_600_000

/** @returns what was done with it; `repeated` = an earlier delivery was handled */
export async function receivePaymentEvent(
  control: Control,
  event: PaymentEvent,
  handlers: PaymentHandlers,
): Promise<'handled' | 'ignored' | 'repeated'> {
  if (!(await isUnhandled(control, event))) return 'repeated'
  const handle = handlers.get(event.type)
  if (handle) await handle(control, event)
  const state = handle ? 'handled' : 'ignored'
  await control.store.update(stripeEvents.ref(event.id), { state })
  return state
}

async function isUnhandled({ store, clock }: Control, { id, type, object }: PaymentEvent): Promise<boolean> {
  const nowMs = clock.now()
  const ref = stripeEvents.ref(id)
  const fresh: StripeEventDoc = {
    type,
    object,
    state: 'received',
    receivedAt: nowMs,
    ttl: new Date(nowMs + keepMs),
  }
  try {
    await store.create(ref, fresh)
    return true
  } catch (error) {
    if (!isFailure(error, 'store.exists')) throw error
    return (await store.get(ref))?.data.state === 'received'
  }
}

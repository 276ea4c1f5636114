/** The end of paying, with the account: what was used is charged, nothing renews, and Stripe forgets the customer. */
import { type Control, controlOf } from '../control.ts'
import { customers, subscriptions } from './billing-documents.ts'
import { flushTransfer } from './meters.ts'

/**
 * What relays carried is reported first, as far as it is counted by then: what comes later is forgiven. Repeating it
 * changes nothing. Without a key nothing can be ended, and nothing is charged either.
 * @throws billing.unavailable, billing.refused
 */
export async function endPaying(control: Control, account: string, signal: AbortSignal): Promise<void> {
  const { store, payments, log } = control
  const found = await store.get(subscriptions.ref(account))
  if (!found) return
  const { customer } = found.data
  if (payments.kind === 'none')
    log.error({ account, customer }, 'A closed account had a customer at Stripe; end it there')
  else {
    await flushTransfer(controlOf(control, account), signal)
    await payments.endCustomer(customer)
  }
  await store.batch([
    { op: 'delete', ref: found.ref },
    { op: 'delete', ref: customers.ref(customer) },
  ])
}

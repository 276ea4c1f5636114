/** The end of paying, with the account: what was used is charged, nothing renews, and Stripe forgets the customer. */
import type { Control } from '../control.ts'
import { customers, subscriptions } from './billing-documents.ts'

/** Repeating it changes nothing. Without a key nothing can be ended, and nothing is charged either. */
export async function endPaying({ store, payments, log }: Control, account: string): Promise<void> {
  const found = await store.get(subscriptions.ref(account))
  if (!found) return
  const { customer } = found.data
  if (payments.kind === 'none')
    log.error({ account, customer }, 'A closed account had a customer at Stripe; end it there')
  else await payments.endCustomer(customer)
  await store.batch([
    { op: 'delete', ref: found.ref },
    { op: 'delete', ref: customers.ref(customer) },
  ])
}

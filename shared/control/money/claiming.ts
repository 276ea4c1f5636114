/** Which customer of the payment service is which account's: one for each, claimed by its document. */
import { fail } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { customers, type SubscriptionDoc, subscriptions } from './billing-documents.ts'

/**
 * Makes a customer the account's, unless the account has one already.
 * @returns the one that it has then
 * @throws billing.refused when it is another account's
 */
export async function claimCustomer(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  account: string,
  customer: string,
): Promise<string> {
  const nowMs = clock.now()
  await store.transact(async (tx) => {
    const claimed = await tx.get(customers.ref(customer))
    const present = await tx.get(subscriptions.ref(account))
    if (present) return
    if (claimed && claimed.data.account !== account) throw fail('billing.refused')
    if (!claimed) tx.create(customers.ref(customer), { account })
    tx.create(subscriptions.ref(account), nothingYet(account, customer, nowMs))
  })
  return (await store.get(subscriptions.ref(account)))?.data.customer ?? customer
}

function nothingYet(account: string, customer: string, nowMs: number): SubscriptionDoc {
  return {
    account,
    customer,
    subscription: '',
    state: 'free',
    plan: 'free',
    version: 0,
    interval: 'month',
    currency: '',
    seats: 1,
    periodStart: 0,
    periodEnd: 0,
    timeline: [],
    cap: 0,
    capNow: 0,
    graceFrom: 0,
    trialEnd: 0,
    cancelAt: 0,
    isDisputed: false,
    syncedAt: nowMs,
    checkedAt: nowMs,
  }
}

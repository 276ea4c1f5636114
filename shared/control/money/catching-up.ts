/**
 * Asks the payment service which customers have changed since a time, and so finds events that never came and what a
 * restored store has forgotten: also customers that the store has never seen, if they were made for an account of it.
 */
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import { customers } from './billing-documents.ts'
import { claimCustomer } from './claiming.ts'

export type CaughtUp = {
  /** Those of accounts here. They were not read yet. */
  readonly customers: readonly string[]
  /** How many of them the store did not know. */
  readonly adopted: number
  /** Made for an account that is not here, or that has another customer: an operator has to look at them. */
  readonly strange: readonly string[]
  /** False: there were more than one question reads. */
  readonly isWhole: boolean
}

/** @throws billing.off, billing.unavailable, billing.key */
export async function catchUp(control: Control, sinceMs: number): Promise<CaughtUp> {
  const changed = await control.payments.changedSince(sinceMs)
  const found: string[] = []
  const strange: string[] = []
  let adopted = 0
  for (const { customer, account } of changed.customers) {
    if (await control.store.get(customers.ref(customer))) {
      found.push(customer)
      continue
    }
    // Events alone name no account: then it is another service's, or a customer that was deleted with its account.
    if (account === '') continue
    const known = await control.store.get(accounts.ref(account))
    if (known && (await claimCustomer(control, account, customer)) === customer) {
      found.push(customer)
      adopted += 1
    } else {
      strange.push(customer)
      control.log.error({ customer, account }, 'A customer of the payment service has no account here')
    }
  }
  return { customers: found, adopted, strange, isWhole: changed.isWhole }
}

/** Which customers changed at Stripe since a time: for when its events were lost, or our store is an earlier state. */
import type Stripe from 'stripe'
import { isKnownEvent } from '../control/money/event-types.ts'
import type { ChangedCustomers } from '../control/money/payments.ts'
import { toSeconds } from './stripe-calls.ts'
import { idOf } from './stripe-customers.ts'
import { snapshotOf } from './stripe-events.ts'

/** 500 pages of each kind, which take minutes. */
const itemsMax = 50_000
const pageItems = 100

/** New customers with the accounts that we made them for, and whoever an event is about. */
export async function changedSince(stripe: Stripe, sinceMs: number): Promise<ChangedCustomers> {
  const asked = { created: { gte: toSeconds(sinceMs) }, limit: pageItems }
  const found = new Map<string, string>()
  const charges = new Set<string>()
  const events = await readUpTo(stripe.events.list(asked), (event) => {
    // Others may be of anything that the operator does with Stripe.
    if (!isKnownEvent(event.type)) return
    const { customer, charge } = snapshotOf(event)
    if (customer !== '') found.set(customer, '')
    else if (charge !== '') charges.add(charge)
  })
  for (const charge of charges) found.set(idOf((await stripe.charges.retrieve(charge)).customer), '')
  const made = await readUpTo(stripe.customers.list(asked), ({ id, metadata }) => {
    found.set(id, metadata.account ?? '')
  })
  found.delete('')
  return {
    customers: [...found].map(([customer, account]) => ({ customer, account })),
    isWhole: events && made,
  }
}

/** @returns whether these were all */
async function readUpTo<T>(list: AsyncIterable<T>, take: (item: T) => void): Promise<boolean> {
  let left = itemsMax
  for await (const item of list) {
    if (left === 0) return false
    take(item)
    left -= 1
  }
  return true
}

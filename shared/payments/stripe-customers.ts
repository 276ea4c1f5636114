/** Reads all of a customer that counts, from Stripe itself: never from an event. */

import type Stripe from 'stripe'
import { fail } from '../base/errors.ts'
import {
  type CustomerState,
  type Invoice,
  noCustomer,
  type PaidStatus,
  type PaidSubscription,
  type PricedItem,
} from '../control/money/payments.ts'
import { isMissing, toMs, toSeconds } from './stripe-calls.ts'

/** Live subscriptions of a customer; more than two are a mistake already. */
const subscriptionsMax = 20
const invoicesMax = 100
const cardsMax = 10

export async function readCustomer(stripe: Stripe, id: string): Promise<CustomerState> {
  const customer = await stripe.customers.retrieve(id).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (!customer || customer.deleted) return noCustomer
  const [subscriptions, open, paid] = await Promise.all([
    stripe.subscriptions.list({
      customer: id,
      status: 'all',
      limit: subscriptionsMax,
      expand: ['data.schedule'],
    }),
    stripe.invoices.list({ customer: id, status: 'open', limit: invoicesMax }),
    stripe.invoices.list({ customer: id, status: 'paid', limit: invoicesMax }),
  ])
  const isTrial = subscriptions.data.some(({ status }) => status === 'trialing')
  const cards = isTrial ? await cardsOf(stripe, id) : []
  const keys = await keysOfPhases(stripe, subscriptions.data)
  const dues = open.data.flatMap(({ status_transitions: at }) => at.finalized_at ?? [])
  const payments = paid.data.filter(({ total }) => total > 0)
  return {
    account: customer.metadata.account ?? '',
    email: customer.email ?? '',
    cards,
    subscriptions: subscriptions.data.map((one) => subscriptionOf(one, keys)),
    openSince: dues.length > 0 ? toMs(Math.min(...dues)) : 0,
    paidCount: Math.min(3, payments.length),
    lastTotal: payments[0]?.total ?? 0,
    ...(await disputesOf(stripe, customer)),
  }
}

/**
 * Disputes that wait for an answer, and lost ones, among the last payments. A charge stays `disputed` when we have won.
 * An operator has the last word: `disputed` in the customer's metadata, `true` or `false`.
 */
async function disputesOf(
  stripe: Stripe,
  { id: customer, metadata }: Stripe.Customer,
): Promise<Pick<CustomerState, 'isDisputed' | 'lostAt'>> {
  if (metadata.disputed === 'false') return { isDisputed: false, lostAt: 0 }
  const { data } = await stripe.charges.list({ customer, limit: 20 })
  let isDisputed = metadata.disputed === 'true'
  let lostAt = 0
  for (const { id } of data.filter(({ disputed }) => disputed)) {
    const disputes = await stripe.disputes.list({ charge: id, limit: 10 })
    for (const { status, created } of disputes.data) {
      if (status === 'won' || status === 'warning_closed') continue
      isDisputed = true
      if (status === 'lost') lostAt = Math.max(lostAt, toMs(created))
    }
  }
  return { isDisputed, lostAt }
}

function subscriptionOf(one: Stripe.Subscription, keys: ReadonlyMap<string, string>): PaidSubscription {
  const items = one.items.data
  const starts = items.map((item) => item.current_period_start)
  const ends = items.map((item) => item.current_period_end)
  const next = nextOf(one, keys)
  return {
    id: one.id,
    status: oneOf(statuses, one.status),
    createdAt: toMs(one.created),
    items: items.map((item) => ({
      item: item.id,
      price: item.price.lookup_key ?? item.price.id,
      quantity: item.price.recurring?.usage_type === 'metered' ? 0 : (item.quantity ?? 1),
    })),
    period: { start: toMs(Math.max(0, ...starts)), end: toMs(Math.max(0, ...ends)) },
    trialEnd: toMs(one.trial_end),
    cancelAt: toMs(one.cancel_at),
    endedAt: toMs(one.ended_at),
    ...(next && { next }),
  }
}

async function cardsOf(stripe: Stripe, customer: string): Promise<readonly string[]> {
  const { data } = await stripe.paymentMethods.list({ customer, type: 'card', limit: cardsMax })
  return data.flatMap(({ card }) => card?.fingerprint ?? [])
}

/** The phase of its schedule that follows the present one. */
function nextOf(
  { schedule, items }: Stripe.Subscription,
  keys: ReadonlyMap<string, string>,
): PaidSubscription['next'] {
  if (!schedule || typeof schedule === 'string') return undefined
  const now = items.data[0]?.current_period_start ?? 0
  const phase = schedule.phases.find(({ start_date: start }) => start > now)
  if (!phase) return undefined
  return { at: toMs(phase.start_date), items: phase.items.map((item) => phaseItem(item, keys)) }
}

function phaseItem(
  { price, quantity }: Stripe.SubscriptionSchedule.Phase.Item,
  keys: ReadonlyMap<string, string>,
): PricedItem {
  const id = idOf(price)
  const key = keys.get(id) ?? id
  return { price: key, quantity: key.startsWith('pt:transfer:') ? 0 : (quantity ?? 1) }
}

/** Phases name prices by id alone. @returns id -> lookup key */
async function keysOfPhases(
  stripe: Stripe,
  subscriptions: readonly Stripe.Subscription[],
): Promise<ReadonlyMap<string, string>> {
  const phases = subscriptions.flatMap(({ schedule }) =>
    schedule && typeof schedule !== 'string' ? schedule.phases : [],
  )
  const ids = new Set(phases.flatMap(({ items }) => items.map(({ price }) => idOf(price))))
  const found = await Promise.all([...ids].map((id) => stripe.prices.retrieve(id)))
  return new Map(found.map(({ id, lookup_key: key }) => [id, key ?? id]))
}

export function idOf(given: string | { readonly id: string } | null | undefined): string {
  return typeof given === 'string' ? given : (given?.id ?? '')
}

/** A draft that was made final meanwhile is refused, and is not in the list the next time. */
export async function holdDrafts(stripe: Stripe, customer: string, untilMs: number): Promise<void> {
  const until = toSeconds(untilMs)
  const { data } = await stripe.invoices.list({ customer, status: 'draft', limit: 10 })
  for (const { id, billing_reason: reason, automatically_finalizes_at: at } of data)
    if (id !== undefined && reason === 'subscription_cycle' && at !== null && at < until)
      await stripe.invoices.update(id, { automatically_finalizes_at: until })
}

/** Newest first. */
export async function listInvoices(stripe: Stripe, customer: string): Promise<readonly Invoice[]> {
  const { data } = await stripe.invoices.list({ customer, limit: invoicesMax })
  return data.map((one) => ({
    id: one.id ?? '',
    number: one.number ?? '',
    state: oneOf(invoiceStates, one.status ?? 'draft'),
    currency: one.currency,
    createdAt: toMs(one.created),
    total: one.total,
    tax: (one.total_taxes ?? []).reduce((sum, { amount }) => sum + amount, 0),
    url: one.hosted_invoice_url ?? '',
    pdf: one.invoice_pdf ?? '',
  }))
}

const statuses: readonly PaidStatus[] = [
  'trialing',
  'active',
  'past_due',
  'unpaid',
  'paused',
  'canceled',
  'incomplete',
  'incomplete_expired',
]
const invoiceStates: readonly Invoice['state'][] = ['draft', 'open', 'paid', 'void', 'uncollectible']

/** Nothing is concluded from a state that this release does not know. @throws billing.unavailable */
function oneOf<T extends string>(known: readonly T[], given: string): T {
  const found = known.find((one) => one === given)
  if (found === undefined)
    throw fail('billing.unavailable', `Stripe has a state "${given}" that is unknown here.`)
  return found
}

/** Changes of items: prorations by the second, invoices for them, and changes that wait for their payment. */
import type { Stripe } from 'stripe'
import {
  amountOf,
  type draftOf,
  intervalOf,
  isMetered,
  licensedLine,
  meteredLine,
  nameOf,
} from './invoice-object.ts'
import { finalize, openDraft, pay } from './invoices.ts'
import { partOf } from './money.ts'
import type { PendingLine } from './pending-lines.ts'
import { type Period, periodFrom } from './periods.ts'
import { invalid } from './refusal.ts'
import { checkItems, itemOf, periodOf, planOf, setPeriod } from './subscription-object.ts'
import { refuseUnpaid } from './subscription-start.ts'
import { firstPaymentWithin } from './subscription-states.ts'
import { idOf, type World } from './world.ts'

export type ItemChange = {
  readonly id?: string | undefined
  readonly price?: string | undefined
  readonly quantity?: number | undefined
  readonly deleted?: boolean | undefined
  readonly clear_usage?: boolean | undefined
}
export type ProrationBehavior = 'always_invoice' | 'create_prorations' | 'none'
export type PaymentBehavior = 'allow_incomplete' | 'error_if_incomplete' | 'pending_if_incomplete'
export type Change = {
  readonly items: readonly ItemChange[]
  readonly prorations: ProrationBehavior
  readonly payment: PaymentBehavior
  readonly prorationDate: number | undefined
  /** The new period begins now. */
  readonly resets: boolean
}
/** What a change comes to, before anything has happened. */
export type Planned = {
  readonly items: Stripe.SubscriptionItem[]
  readonly lines: readonly PendingLine[]
  readonly period: Period
  readonly anchor: number
  /** It begins a new period, which is invoiced at once. */
  readonly isReset: boolean
}

/** @throws Refusal for items that do not exist or do not fit together */
export function planChange(world: World, subscription: Stripe.Subscription, change: Change): Planned {
  const at = dateOf(world, subscription, change.prorationDate)
  const before = subscription.items.data
  const items = changedItems(world, subscription, change.items)
  checkItems(
    world,
    world.find('customers', idOf(subscription.customer), 'customer'),
    items.map(({ price, quantity }) => ({ price, quantity })),
  )
  const interval = items[0]?.price.recurring?.interval
  // In a trial the interval only says what comes after it.
  const isNewInterval = interval !== intervalOf(subscription) && subscription.status !== 'trialing'
  const isReset = change.resets || isNewInterval
  const anchor = isReset ? world.now() : subscription.billing_cycle_anchor
  const period = isReset
    ? periodFrom(anchor, (interval ?? 'month') as ReturnType<typeof intervalOf>, anchor)
    : periodOf(subscription)
  for (const item of items) {
    item.current_period_start = period.start
    item.current_period_end = period.end
  }
  const isTrial = subscription.status === 'trialing'
  const prorated =
    change.prorations === 'none' || isTrial
      ? []
      : prorations(world, { subscription, before, items, at, isReset })
  const usage =
    change.prorations === 'none' ? [] : flushedUsage(world, subscription, { items, isReset, at, change })
  const fresh = isReset
    ? items.filter((item) => !isMetered(item)).map((item) => licensedLine(world, item, period, false))
    : []
  return { items, lines: [...prorated, ...usage, ...fresh], period, anchor, isReset }
}

function dateOf(world: World, subscription: Stripe.Subscription, asked: number | undefined): number {
  const { start, end } = periodOf(subscription)
  const at = asked ?? world.now()
  if (asked !== undefined && (at < start || at >= end))
    throw invalid('The proration_date must be within the current period.', { param: 'proration_date' })
  return Math.min(at, end)
}

function changedItems(
  world: World,
  subscription: Stripe.Subscription,
  changes: readonly ItemChange[],
): Stripe.SubscriptionItem[] {
  const items = subscription.items.data.map((item) => ({ ...item }))
  for (const [index, change] of changes.entries()) {
    const price =
      change.price === undefined
        ? undefined
        : world.find('prices', change.price, 'price', `items[${index}][price]`)
    if (change.id === undefined) {
      if (!price) throw invalid(`Missing required param: items[${index}][price].`, { param: 'items' })
      const period = periodOf(subscription)
      items.push(itemOf(world, subscription.id, { price, quantity: change.quantity, period }))
      continue
    }
    const at = items.findIndex(({ id }) => id === change.id)
    const item = items[at]
    if (!item) throw invalid(`No such subscription item: '${change.id}'`, { param: `items[${index}][id]` })
    if (change.deleted) {
      items.splice(at, 1)
      continue
    }
    if (price) Object.assign(item, { price, plan: planOf(price) })
    if (change.quantity === undefined) continue
    if (isMetered(item)) throw invalid('Quantity should not be specified where usage_type is metered.')
    item.quantity = change.quantity
  }
  return items
}

type Compared = {
  readonly subscription: Stripe.Subscription
  readonly before: readonly Stripe.SubscriptionItem[]
  readonly items: readonly Stripe.SubscriptionItem[]
  readonly at: number
  readonly isReset: boolean
}

/** For each item that changes: the rest of the old is given back, and the rest of the new is taken. */
function prorations(world: World, { subscription, before, items, at, isReset }: Compared): PendingLine[] {
  const period = periodOf(subscription)
  const rest = { start: at, end: period.end }
  const share = (item: Stripe.SubscriptionItem) =>
    partOf(amountOf(world, item.price, item.quantity ?? 1), rest.end - rest.start, period.end - period.start)
  const line = (item: Stripe.SubscriptionItem, amount: number, description: string): PendingLine => ({
    subscription: subscription.id,
    item: item.id,
    price: item.price,
    quantity: item.quantity ?? 1,
    amount,
    isProration: true,
    period: rest,
    description: `${description} ${nameOf(world, item.price)}`,
  })
  const ids = new Set([...before, ...items].map(({ id }) => id))
  return [...ids].flatMap((id) => {
    const old = before.find((item) => item.id === id)
    const next = items.find((item) => item.id === id)
    const isSame = !isReset && old?.price.id === next?.price.id && old?.quantity === next?.quantity
    if (isSame) return []
    const back = old && !isMetered(old) ? [line(old, -share(old), 'Unused time on')] : []
    const more = next && !isMetered(next) && !isReset ? [line(next, share(next), 'Remaining time on')] : []
    return [...back, ...more]
  })
}

type Flushed = {
  readonly items: readonly Stripe.SubscriptionItem[]
  readonly isReset: boolean
  readonly at: number
  readonly change: Change
}

/** Usage of metered items that end here, or whose period does. */
function flushedUsage(
  world: World,
  subscription: Stripe.Subscription,
  { items, isReset, at, change }: Flushed,
): PendingLine[] {
  const { start } = periodOf(subscription)
  return subscription.items.data
    .filter((item) => isMetered(item))
    .filter((item) => isReset || items.find(({ id }) => id === item.id)?.price.id !== item.price.id)
    .filter((item) => !change.items.some(({ id, clear_usage: clear }) => id === item.id && clear))
    .map((item) => meteredLine(world, item, idOf(subscription.customer), { start, end: at }))
    .filter(({ quantity }) => quantity > 0)
}

/** @throws Refusal 402 with `error_if_incomplete` when the card does not pay; nothing has changed then */
export function change(world: World, subscription: Stripe.Subscription, asked: Change): void {
  const planned = planChange(world, subscription, asked)
  const apply = () => applyPlan(subscription, planned)
  const isInvoiced = planned.isReset || (asked.prorations === 'always_invoice' && planned.lines.length > 0)
  if (!isInvoiced) {
    world.change('customer.subscription.updated', subscription, apply)
    const waiting = world.pending.get(subscription.id) ?? []
    world.pending.set(subscription.id, [...waiting, ...planned.lines])
    return
  }
  const now = world.now()
  const spec = {
    reason: 'subscription_update',
    lines: planned.lines,
    period: { start: now, end: now },
  } as const
  const waiting = world.pending.get(subscription.id) ?? []
  if (asked.payment === 'error_if_incomplete')
    refuseUnpaid(world, subscription, {
      spec: { ...spec, lines: [...waiting, ...spec.lines] },
      isPresent: false,
    })
  if (asked.payment === 'pending_if_incomplete') {
    payFirst(world, subscription, { spec, apply, planned })
    return
  }
  world.change('customer.subscription.updated', subscription, apply)
  const invoice = openDraft(world, subscription, spec)
  finalize(world, invoice)
  if (isOpen(invoice)) pay(world, invoice)
}

type PayFirst = {
  readonly spec: Parameters<typeof draftOf>[2]
  readonly apply: () => void
  readonly planned: Planned
}

/** docs.stripe.com/billing/subscriptions/pending-updates: nothing changes before its invoice is paid. */
function payFirst(world: World, subscription: Stripe.Subscription, { spec, apply, planned }: PayFirst): void {
  const invoice = openDraft(world, subscription, spec)
  invoice.auto_advance = false
  world.pendingUpdates.set(subscription.id, { invoice: invoice.id, apply })
  finalize(world, invoice)
  if (isOpen(invoice)) pay(world, invoice)
  if (!world.pendingUpdates.has(subscription.id)) return
  world.change('customer.subscription.updated', subscription, () => {
    subscription.pending_update = {
      billing_cycle_anchor: planned.isReset ? planned.anchor : null,
      cancel_at_period_end: null,
      discount: null,
      discounts: null,
      expires_at: Math.min(world.now() + firstPaymentWithin, periodOf(subscription).end),
      metadata: null,
      subscription_items: planned.items,
      trial_end: null,
      trial_from_plan: null,
    }
  })
}

function applyPlan(subscription: Stripe.Subscription, { items, period, anchor, isReset }: Planned): void {
  subscription.items.data = items
  subscription.billing_cycle_anchor = anchor
  if (isReset) setPeriod(subscription, period)
}

function isOpen({ status }: Stripe.Invoice): boolean {
  return status === 'open'
}

/** What time does to subscriptions: renewals, ends of trials, cancellations, and first payments that never came. */
import type { Stripe } from 'stripe'
import { intervalOf, isMetered, licensedLine, meteredLine } from './invoice-object.ts'
import { finalize, openDraft, pay, voidInvoice } from './invoices.ts'
import { cardFor } from './payment-methods.ts'
import { type Period, periodFrom } from './periods.ts'
import { customerOf, periodOf, setPeriod } from './subscription-object.ts'
import { endNow, firstPaymentWithin, setStatus } from './subscription-states.ts'
import type { Due } from './time.ts'
import { idOf, type World } from './world.ts'

/** Stripe tells three days before a trial ends. */
const trialWarning = 3 * 86_400

export function subscriptionDue(world: World, subscription: Stripe.Subscription): Due[] {
  const { status, pending_update: pending, cancel_at: cancelAt, trial_end: trialEnd } = subscription
  if (status === 'canceled' || status === 'incomplete_expired' || status === 'paused') return []
  if (status === 'incomplete')
    return [{ at: subscription.created + firstPaymentWithin, act: () => expireFirst(world, subscription) }]
  const due: Due[] = []
  if (pending) due.push({ at: pending.expires_at, act: () => expireUpdate(world, subscription) })
  if (status === 'trialing' && trialEnd !== null && !world.toldOfTrial.has(subscription.id))
    due.push({
      at: Math.max(subscription.created, trialEnd - trialWarning),
      act: () => warn(world, subscription),
    })
  if (cancelAt !== null && cancelAt < periodOf(subscription).end)
    due.push({ at: cancelAt, act: () => endNow(world, subscription, 'cancellation_requested') })
  due.push({ at: periodOf(subscription).end, act: () => renew(world, subscription) })
  return due
}

function warn(world: World, subscription: Stripe.Subscription): void {
  world.toldOfTrial.add(subscription.id)
  world.emit('customer.subscription.trial_will_end', subscription)
}

function expireFirst(world: World, subscription: Stripe.Subscription): void {
  world.change('customer.subscription.updated', subscription, () => {
    subscription.status = 'incomplete_expired'
    subscription.ended_at = world.now()
  })
  const invoice = world.tables.invoices.get(idOf(subscription.latest_invoice ?? ''))
  if (invoice?.status === 'open') voidInvoice(world, invoice)
}

function expireUpdate(world: World, subscription: Stripe.Subscription): void {
  const waiting = world.pendingUpdates.get(subscription.id)
  const invoice = world.tables.invoices.get(waiting?.invoice ?? '')
  if (invoice?.status === 'open') voidInvoice(world, invoice)
  world.pendingUpdates.delete(subscription.id)
  if (!subscription.pending_update) return
  world.change('customer.subscription.updated', subscription, () => {
    subscription.pending_update = null
  })
}

/** The period is over: what was used is billed, and the next one begins, or nothing does. */
function renew(world: World, subscription: Stripe.Subscription): void {
  const over = periodOf(subscription)
  const ends =
    subscription.cancel_at_period_end || (subscription.cancel_at ?? Number.POSITIVE_INFINITY) <= over.end
  if (ends) {
    billUsage(world, subscription, over)
    endNow(world, subscription, 'cancellation_requested')
    return
  }
  if (subscription.status === 'trialing' && !mayGoOn(world, subscription)) return
  const next = periodFrom(subscription.billing_cycle_anchor, intervalOf(subscription), over.end)
  world.change('customer.subscription.updated', subscription, () => {
    setPeriod(subscription, next)
    if (subscription.status === 'trialing') subscription.status = 'active'
  })
  const items = subscription.items.data
  const invoice = openDraft(world, subscription, {
    reason: 'subscription_cycle',
    lines: [
      ...items.filter(isMetered).map((item) => meteredLine(world, item, idOf(subscription.customer), over)),
      ...items.filter((item) => !isMetered(item)).map((item) => licensedLine(world, item, next, false)),
    ],
    period: over,
  })
  if (subscription.status === 'unpaid') invoice.auto_advance = false
}

/** @returns false when the trial ended the subscription, or paused it */
function mayGoOn(world: World, subscription: Stripe.Subscription): boolean {
  const missing = subscription.trial_settings?.end_behavior.missing_payment_method
  if (cardFor(world, customerOf(world, subscription), subscription.default_payment_method)) return true
  if (missing === 'cancel') {
    endNow(world, subscription, 'cancellation_requested')
    return false
  }
  if (missing !== 'pause') return true
  setStatus(world, subscription, 'paused')
  world.emit('customer.subscription.paused', subscription)
  return false
}

/** A last invoice of what was used, if anything was. */
function billUsage(world: World, subscription: Stripe.Subscription, period: Period): void {
  const lines = subscription.items.data
    .filter(isMetered)
    .map((item) => meteredLine(world, item, idOf(subscription.customer), period))
    .filter(({ quantity }) => quantity > 0)
  const waiting = world.pending.get(subscription.id) ?? []
  if (lines.length + waiting.length > 0)
    openDraft(world, subscription, { reason: 'subscription_cycle', lines, period })
}

/** An open invoice is tried again, and a draft becomes final. */
export function advanceInvoice(world: World, invoice: Stripe.Invoice): void {
  if (invoice.status === 'draft') finalize(world, invoice)
  if (invoice.status === 'open') pay(world, invoice)
}

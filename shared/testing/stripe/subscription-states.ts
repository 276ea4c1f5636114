/** What payments make of a subscription. */
import type { Stripe } from 'stripe'
import { idOf, type World } from './world.ts'

/** Seconds in which a first payment, or a change that has to be paid first, must succeed. */
export const firstPaymentWithin = 23 * 3_600

/** Also after an invoice became void: then nothing is owed for it either. */
export function afterPayment(world: World, invoice: Stripe.Invoice): void {
  const subscription = subscriptionFor(world, invoice)
  if (!subscription) return
  const waiting = world.pendingUpdates.get(subscription.id)
  if (waiting?.invoice === invoice.id) {
    world.pendingUpdates.delete(subscription.id)
    world.change('customer.subscription.updated', subscription, () => {
      subscription.pending_update = null
      if (invoice.status === 'paid') waiting.apply()
    })
  }
  if (invoice.status === 'paid' && subscription.status === 'incomplete')
    setStatus(world, subscription, 'active')
  const isLatest = subscription.latest_invoice === invoice.id
  if (isLatest && (subscription.status === 'past_due' || subscription.status === 'unpaid'))
    setStatus(world, subscription, 'active')
}

export function afterFailure(world: World, invoice: Stripe.Invoice): void {
  const subscription = subscriptionFor(world, invoice)
  if (!subscription || world.pendingUpdates.get(subscription.id)?.invoice === invoice.id) return
  const { afterRetries } = world.settings
  const isLast = invoice.next_payment_attempt === null && invoice.attempt_count > 1
  if (subscription.status === 'active' || subscription.status === 'trialing')
    setStatus(world, subscription, 'past_due')
  if (!isLast || subscription.status !== 'past_due' || afterRetries === 'past_due') return
  if (afterRetries === 'unpaid') setStatus(world, subscription, 'unpaid')
  else endNow(world, subscription, 'payment_failed')
}

export function setStatus(
  world: World,
  subscription: Stripe.Subscription,
  status: Stripe.Subscription.Status,
): void {
  world.change('customer.subscription.updated', subscription, () => {
    subscription.status = status
  })
}

/** The end: nothing of it renews any more. */
export function endNow(
  world: World,
  subscription: Stripe.Subscription,
  reason: 'cancellation_requested' | 'payment_disputed' | 'payment_failed',
): void {
  subscription.status = 'canceled'
  subscription.ended_at = world.now()
  subscription.canceled_at ??= world.now()
  subscription.cancellation_details = { comment: null, feedback: null, feedback_option: null, reason }
  world.pending.delete(subscription.id)
  world.pendingUpdates.delete(subscription.id)
  subscription.pending_update = null
  endSchedule(world, subscription)
  for (const invoice of world.all('invoices'))
    if (invoice.status === 'open' && subscriptionFor(world, invoice) === subscription) {
      invoice.auto_advance = false
      invoice.next_payment_attempt = null
    }
  world.emit('customer.subscription.deleted', subscription)
}

function endSchedule(world: World, subscription: Stripe.Subscription): void {
  const schedule = world.tables.schedules.get(idOf(subscription.schedule ?? ''))
  if (!schedule) return
  schedule.status = 'canceled'
  schedule.canceled_at = world.now()
  schedule.current_phase = null
  world.emit('subscription_schedule.canceled', schedule)
}

function subscriptionFor(world: World, { parent }: Stripe.Invoice): Stripe.Subscription | undefined {
  const reference = parent?.subscription_details?.subscription
  return reference === undefined ? undefined : world.tables.subscriptions.get(idOf(reference))
}

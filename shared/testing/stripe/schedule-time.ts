/** Phases of schedules follow each other. */
import type { Stripe } from 'stripe'
import { intervalOf, isMetered } from './invoice-object.ts'
import { change } from './subscription-changes.ts'
import { itemOf, periodOf, planOf } from './subscription-object.ts'
import { endNow } from './subscription-states.ts'
import type { Due } from './time.ts'
import { idOf, type World } from './world.ts'

export function scheduleDue(world: World, schedule: Stripe.SubscriptionSchedule): Due | undefined {
  if (schedule.status !== 'active' || !schedule.current_phase) return undefined
  return { at: schedule.current_phase.end_date, act: () => nextPhase(world, schedule) }
}

function nextPhase(world: World, schedule: Stripe.SubscriptionSchedule): void {
  const over = schedule.current_phase?.end_date ?? 0
  const next = schedule.phases.find(({ start_date: start }) => start === over)
  const subscription = world.find('subscriptions', idOf(schedule.subscription ?? ''), 'subscription')
  if (!next) {
    finish(world, schedule, subscription)
    return
  }
  world.change('subscription_schedule.updated', schedule, () => {
    schedule.current_phase = { start_date: next.start_date, end_date: next.end_date }
  })
  enter(world, subscription, next)
}

/** At the end of a period there is nothing to prorate: the renewal, which comes next, has the new items. */
function enter(
  world: World,
  subscription: Stripe.Subscription,
  phase: Stripe.SubscriptionSchedule.Phase,
): void {
  const { end } = periodOf(subscription)
  const before = subscription.items.data
  const asked = phase.items.map(({ price, quantity }) => ({
    price: world.find('prices', idOf(price), 'price'),
    quantity,
  }))
  if (phase.start_date < end) {
    const kept = asked.map(({ price }) => before.find((item) => item.price.id === price.id)?.id)
    change(world, subscription, {
      items: [
        ...asked.map(({ price, quantity }, index) => ({ id: kept[index], price: price.id, quantity })),
        ...before.filter(({ id }) => !kept.includes(id)).map(({ id }) => ({ id, deleted: true })),
      ],
      prorations: phase.proration_behavior as 'create_prorations',
      payment: 'allow_incomplete',
      prorationDate: undefined,
      resets: false,
    })
    return
  }
  const intervalBefore = intervalOf(subscription)
  const period = periodOf(subscription)
  world.change('customer.subscription.updated', subscription, () => {
    subscription.items.data = asked.map(({ price, quantity }, index) => {
      const same = before.find((item) => item.price.id === price.id) ?? before[index]
      if (!same || isMetered(same) !== isMetered({ price }))
        return itemOf(world, subscription.id, { price, quantity, period })
      return {
        ...same,
        price,
        plan: planOf(price),
        ...(!isMetered({ price }) && { quantity: quantity ?? 1 }),
      }
    })
    if (intervalOf(subscription) !== intervalBefore) subscription.billing_cycle_anchor = phase.start_date
    if (phase.metadata) subscription.metadata = { ...subscription.metadata, ...phase.metadata }
  })
}

function finish(
  world: World,
  schedule: Stripe.SubscriptionSchedule,
  subscription: Stripe.Subscription,
): void {
  if (schedule.end_behavior === 'cancel') {
    endNow(world, subscription, 'cancellation_requested')
    return
  }
  release(world, schedule, subscription)
}

/** The subscription goes on without it. */
export function release(
  world: World,
  schedule: Stripe.SubscriptionSchedule,
  subscription: Stripe.Subscription | undefined,
): void {
  schedule.status = 'released'
  schedule.released_at = world.now()
  schedule.released_subscription = subscription?.id ?? null
  schedule.subscription = null
  schedule.current_phase = null
  world.emit('subscription_schedule.released', schedule)
  if (!subscription) return
  world.change('customer.subscription.updated', subscription, () => {
    subscription.schedule = null
  })
}

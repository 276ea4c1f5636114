/**
 * What we have Stripe do with subscriptions (money.md, rule 11). More is charged at once and in force when it is paid;
 * less waits for the end of the period, in a schedule that any further change releases first.
 */

import type Stripe from 'stripe'
import { fail } from '../base/errors.ts'
import type { Change, PaidSubscription, PricedItem } from '../control/money/payments.ts'
import { toSeconds } from './stripe-calls.ts'
import { idOf } from './stripe-customers.ts'

/** @returns lookup key -> id of the active price. @throws billing.unsynced for one that Stripe does not have */
export async function priceIds(
  stripe: Stripe,
  items: readonly PricedItem[],
): Promise<ReadonlyMap<string, string>> {
  const keys = items.map(({ price }) => price)
  const { data } = await stripe.prices.list({ lookup_keys: keys, active: true, limit: 10 })
  const found = new Map(data.map(({ id, lookup_key: key }) => [key ?? '', id]))
  const missing = keys.filter((key) => !found.has(key))
  if (missing.length > 0) throw fail('billing.unsynced', `Stripe has no price ${missing.join(', ')}.`)
  return found
}

type Item = {
  readonly id?: string
  readonly price?: string
  readonly quantity?: number
  readonly deleted?: true
}

/** From the items that are there to those that are wanted; the metered one stays as it is. */
async function itemChanges(
  stripe: Stripe,
  subscription: PaidSubscription,
  wanted: readonly PricedItem[],
): Promise<Item[]> {
  const ids = await priceIds(stripe, wanted)
  const flat = subscription.items.filter(({ price }) => !isMetered(price))
  const meters = subscription.items.filter(({ price }) => isMetered(price))
  const isYearly = intervalOf(wanted) === 'year'
  const changes = wanted.flatMap(({ price, quantity }): Item[] => {
    if (isMetered(price)) return meters.length > 0 ? [] : [{ price: idOfKey(ids, price) }]
    const same = flat.find((item) => isSeats(item.price) === isSeats(price))
    return [{ ...(same && { id: same.item }), price: idOfKey(ids, price), quantity }]
  })
  const kept = new Set(changes.map(({ id }) => id))
  const gone = [...flat, ...(isYearly ? meters : [])].filter(({ item }) => !kept.has(item))
  return [...changes, ...gone.map(({ item }) => ({ id: item, deleted: true as const }))]
}

function idOfKey(ids: ReadonlyMap<string, string>, key: string): string {
  return ids.get(key) ?? ''
}

function isMetered(key: string): boolean {
  return key.startsWith('pt:transfer:')
}

function isSeats(key: string): boolean {
  return key.split(':')[1]?.endsWith('-seats') ?? false
}

export async function preview(
  stripe: Stripe,
  customer: string,
  { subscription, items, at }: Change,
): Promise<{ readonly due: number; readonly currency: string }> {
  const invoice = await stripe.invoices.createPreview({
    customer,
    subscription: subscription.id,
    subscription_details: {
      items: await itemChanges(stripe, subscription, items),
      proration_behavior: 'always_invoice',
      proration_date: toSeconds(at),
    },
  })
  return { due: invoice.amount_due, currency: invoice.currency }
}

export async function changeNow(
  stripe: Stripe,
  { subscription, items, at }: Change,
  key: string,
): Promise<void> {
  await release(stripe, subscription)
  const isLess = subscription.status === 'trialing'
  const changed = await stripe.subscriptions.update(
    subscription.id,
    {
      items: await itemChanges(stripe, subscription, items),
      // A trial is free, and Stripe takes no pending update of one.
      ...(isLess
        ? { proration_behavior: 'none' }
        : {
            proration_behavior: 'always_invoice',
            proration_date: toSeconds(at),
            payment_behavior: 'pending_if_incomplete',
          }),
    },
    { idempotencyKey: key },
  )
  // An owner who pays for more goes on. Stripe takes this in no pending update, and one that is unpaid leaves the end.
  if (subscription.cancelAt > 0 && !changed.pending_update)
    await stripe.subscriptions.update(
      subscription.id,
      { cancel_at_period_end: false },
      { idempotencyKey: `${key}:keep` },
    )
}

export async function changeLater(
  stripe: Stripe,
  { subscription, items }: Omit<Change, 'at'>,
  key: string,
): Promise<void> {
  await keep(stripe, subscription, `${key}:keep`)
  // A meter that goes with the period takes the period's usage with it.
  const meters = intervalOf(items) === 'month' && !items.some(({ price }) => isMetered(price))
  const kept = meters ? subscription.items.filter(({ price }) => isMetered(price)) : []
  const later = [...items, ...kept]
  const ids = await priceIds(stripe, later)
  const schedule = await stripe.subscriptionSchedules.create(
    { from_subscription: subscription.id },
    { idempotencyKey: `${key}:make` },
  )
  const [now] = schedule.phases
  if (!now) throw fail('billing.unavailable', 'Stripe made a schedule without a phase.')
  await stripe.subscriptionSchedules.update(
    schedule.id,
    {
      end_behavior: 'release',
      proration_behavior: 'none',
      phases: [
        {
          items: now.items.map(({ price, quantity }) => ({
            price: idOf(price),
            ...(quantity !== undefined && { quantity }),
          })),
          start_date: now.start_date,
          end_date: now.end_date,
        },
        {
          items: later.map(({ price, quantity }) => ({
            price: idOfKey(ids, price),
            ...(!isMetered(price) && { quantity }),
          })),
          start_date: now.end_date,
          duration: { interval: intervalOf(items) },
          proration_behavior: 'none',
        },
      ],
    },
    { idempotencyKey: `${key}:set` },
  )
}

export async function cancelLater(
  stripe: Stripe,
  subscription: PaidSubscription,
  key: string,
): Promise<void> {
  await release(stripe, subscription)
  await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true }, { idempotencyKey: key })
}

export async function keep(stripe: Stripe, subscription: PaidSubscription, key: string): Promise<void> {
  await release(stripe, subscription)
  if (subscription.cancelAt > 0)
    await stripe.subscriptions.update(
      subscription.id,
      { cancel_at_period_end: false },
      { idempotencyKey: key },
    )
}

/** Whatever schedule there is now: what we know of it may be old. */
async function release(stripe: Stripe, { id }: PaidSubscription): Promise<void> {
  const { schedule } = await stripe.subscriptions.retrieve(id)
  if (schedule) await stripe.subscriptionSchedules.release(idOf(schedule))
}

/** A phase lasts for a period, and then the subscription is let go. */
function intervalOf(items: readonly PricedItem[]): 'month' | 'year' {
  return items.some(({ price }) => price.split(':')[3] === 'year') ? 'year' : 'month'
}

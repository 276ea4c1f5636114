/**
 * An account that pays keeps the version of its plan that it bought, until an operator moves it: its people are told
 * first, and it changes with a renewal, never within what is paid for. What is noted here is brought about with every
 * look at the customer, so it makes no difference what the owner changes before, after or meanwhile (decision 0096).
 */
import type { Control } from '../control.ts'
import type { Snapshot } from '../platform.ts'
import { currencySchema, formatAmount } from './amounts.ts'
import type { SubscriptionDoc } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import { chooseSubscription, includedSeats } from './following-rules.ts'
import type { CustomerState, PaidSubscription, PricedItem } from './payments.ts'
import { isTransferKey, itemsOf, readKey, type Terms, termsOf, transferKey } from './price-keys.ts'
import { priceOf, seatPriceOf } from './prices.ts'

/** From the mail to the first renewal with other terms, at least: whoever does not want them has time to end it. */
export const noticeMs = 30 * 24 * 3_600_000

/**
 * What is paid for, by the plan of the same name in a later catalogue.
 * @returns undefined where that does not sell it, or sells transfer by another meter: a meter that goes with a period
 * takes what was used with it
 */
export function movedTerms(
  terms: Terms,
  { from, to }: { readonly from: Catalogue | undefined; readonly to: Catalogue },
): Terms | undefined {
  const plan = Object.hasOwn(to.plans, terms.plan) ? to.plans[terms.plan] : undefined
  const currency = currencySchema.safeParse(terms.currency)
  if (!plan || !currency.success) return undefined
  if (priceOf(plan, terms.interval, currency.data) === undefined) return undefined
  const seats = Math.max(terms.seats, plan.seats?.included ?? 1)
  const needsMore = plan.seats !== undefined && seats > plan.seats.included
  if (needsMore && seatPriceOf(plan, terms.interval, currency.data) === undefined) return undefined
  const isMetered = from?.plans[terms.plan]?.overage !== undefined
  if (isMetered && from && transferKey(from, terms.currency) !== transferKey(to, terms.currency))
    return undefined
  return { ...terms, version: to.version, seats }
}

/**
 * Has the payment service change the subscription with its renewal, if that was noted and its people were told in time.
 * @returns whether the customer changed and has to be read again
 * @throws billing.unavailable, billing.refused, billing.unsynced
 */
export async function alignWithPlans(
  control: Control,
  { version, data: { account, moving, closing } }: Snapshot<SubscriptionDoc>,
  { subscriptions }: CustomerState,
): Promise<boolean> {
  const { chosen } = chooseSubscription(subscriptions)
  if (!moving || closing || chosen?.status !== 'active') return false
  if (chosen.cancelAt > 0 || chosen.period.end < moving.after) return false
  const items = await movedItems(control, chosen, moving.to)
  if (!items) return false
  await control.payments.changeLater({ subscription: chosen, items }, `move:${account}:${version}`)
  return true
}

/** Also of a change that waits: it is one to the plan as it was then. @returns undefined when nothing is to be done */
async function movedItems(
  { catalogues }: Pick<Control, 'catalogues'>,
  { items, next }: PaidSubscription,
  to: number,
): Promise<readonly PricedItem[] | undefined> {
  const later = next?.items ?? items
  const known = await catalogues.ofAll([to, ...later.flatMap(({ price }) => readKey(price)?.version ?? [])])
  const terms = termsOf(later, includedSeats(known))
  const catalogue = known.get(to)
  if (!terms || !catalogue || terms.version >= to) return undefined
  const moved = movedTerms(terms, { from: known.get(terms.version), to: catalogue })
  if (!moved) return undefined
  const wanted = itemsOf(catalogue, moved)
  const meters = wanted.filter(({ price }) => isTransferKey(price))
  const present = items.filter(({ price }) => isTransferKey(price))
  const isOther = present.length > 0 && meters.some(({ price }) => price !== present[0]?.price)
  return isOther ? undefined : wanted
}

/** What the plan costs now, and as it will be, in words. @returns undefined when nothing is noted */
export async function pricesOfMove(
  { catalogues }: Pick<Control, 'catalogues'>,
  { plan, version, interval, currency, moving }: SubscriptionDoc,
): Promise<{ readonly today: string; readonly later: string } | undefined> {
  const of = currencySchema.safeParse(currency)
  if (!moving || !of.success) return undefined
  const known = await catalogues.ofAll([version, moving.to])
  const text = (one: number) => {
    const amount = priceOf(known.get(one)?.plans[plan] ?? { prices: {} }, interval, of.data)
    return amount === undefined ? '' : `${formatAmount(amount, of.data)} a ${interval}`
  }
  return { today: text(version), later: text(moving.to) }
}

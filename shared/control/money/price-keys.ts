/** Names of prices at the payment service: `pt:pro:3:month:usd`. A name pins plan and version, so none changes. */
import { type Catalogue, type Interval, intervals } from './catalogue-schema.ts'
import type { PricedItem } from './payments.ts'

type Named = {
  readonly plan: string
  readonly version: number
  readonly interval: Interval
  readonly currency: string
}

/** The marker of the price of a further seat; no plan's name ends with it (catalogue.ts). */
export const seatsEnding = '-seats'

export function planKey({ plan, version, interval, currency }: Named): string {
  return `pt:${plan}:${version}:${interval}:${currency}`
}

export function seatsKey({ plan, ...rest }: Named): string {
  return planKey({ ...rest, plan: `${plan}${seatsEnding}` })
}

/** One for each currency, whatever the plan: swapping it would bill or lose earlier usage (money.md, rule 6). */
export function transferKey({ transfer }: Pick<Catalogue, 'transfer'>, currency: string): string {
  return `pt:transfer:${transfer?.meter ?? ''}:${currency}`
}

const shape = /^pt:([a-z][a-z0-9-]*):(\d{1,7}):(month|year):([a-z]{3})$/

/** @returns undefined for a price that is not ours, or the metered one */
export function readKey(key: string): (Named & { readonly isSeats: boolean }) | undefined {
  const [, name = '', version = '', given = '', currency = ''] = shape.exec(key) ?? []
  const interval = intervals.find((one) => one === given)
  if (!interval) return undefined
  const isSeats = name.endsWith(seatsEnding)
  const plan = isSeats ? name.slice(0, -seatsEnding.length) : name
  return { plan, version: Number(version), interval, currency, isSeats }
}

export function isTransferKey(key: string): boolean {
  return key.startsWith('pt:transfer:')
}

export type Terms = {
  readonly plan: string
  readonly version: number
  readonly interval: Interval
  readonly currency: string
  /** People who may be members, included ones among them. */
  readonly seats: number
}

/** What a subscription has to have for these terms. @param catalogue of the terms' version */
export function itemsOf(catalogue: Catalogue, terms: Terms): readonly PricedItem[] {
  const plan = catalogue.plans[terms.plan]
  const more = Math.max(0, terms.seats - (plan?.seats?.included ?? terms.seats))
  const isMetered = terms.interval === 'month' && plan?.overage !== undefined
  return [
    { price: planKey(terms), quantity: 1 },
    ...(more > 0 ? [{ price: seatsKey(terms), quantity: more }] : []),
    ...(isMetered ? [{ price: transferKey(catalogue, terms.currency), quantity: 0 }] : []),
  ]
}

/** Whether a change to these items ends the metered one: a year has none, and other plans keep it. */
export function endsMeter(
  { items }: { readonly items: readonly PricedItem[] },
  wanted: readonly PricedItem[],
): boolean {
  const isYearly = wanted.some(({ price }) => readKey(price)?.interval === 'year')
  return isYearly && items.some(({ price }) => isTransferKey(price))
}

/**
 * The terms that items mean.
 * @param includedOf seats that a plan of a version includes
 * @returns undefined when they are not those of one plan of ours
 */
export function termsOf(
  items: readonly PricedItem[],
  includedOf: (plan: string, version: number) => number,
): Terms | undefined {
  const known = items.flatMap(({ price, quantity }) => {
    const key = readKey(price)
    return key ? [{ ...key, quantity }] : []
  })
  const [plan, ...others] = known.filter(({ isSeats }) => !isSeats)
  if (!plan || others.length > 0) return undefined
  const seats = known.filter(({ isSeats }) => isSeats)
  if (seats.some((one) => one.plan !== plan.plan || one.interval !== plan.interval)) return undefined
  const more = seats.reduce((sum, { quantity }) => sum + quantity, 0)
  const { version, interval, currency } = plan
  return { plan: plan.plan, version, interval, currency, seats: includedOf(plan.plan, version) + more }
}

/** What a subscription brings by the month, by the prices of its own catalogue: plan and further seats, no transfer. */
import type { Control } from '../control.ts'
import { type Currency, currencySchema, formatAmount } from './amounts.ts'
import type { SubscriptionDoc } from './billing-documents.ts'
import type { Catalogue } from './catalogue-schema.ts'
import { priceOf, seatPriceOf } from './prices.ts'

export type Recurring = {
  readonly catalogue: Catalogue
  readonly currency: Currency
  /** The amount of one interval, as a catalogue writes it. */
  readonly text: string
  /** Minor units by the month, rounded down. */
  readonly minorAMonth: number
}

/** @returns undefined for who pays nothing, and where the catalogue of the subscription is gone */
export async function recurringOf(
  { catalogues }: Pick<Control, 'catalogues'>,
  { state, plan: name, version, interval, currency: stored, seats }: SubscriptionDoc,
): Promise<Recurring | undefined> {
  if (state !== 'active' && state !== 'pastDue') return undefined
  const catalogue = (await catalogues.ofAll([version])).get(version)
  const plan = catalogue?.plans[name]
  const currency = currencySchema.safeParse(stored).data
  if (!catalogue || !plan || !currency) return undefined
  const further = BigInt(Math.max(0, seats - (plan.seats?.included ?? seats)))
  const amount =
    (priceOf(plan, interval, currency) ?? 0n) + further * (seatPriceOf(plan, interval, currency) ?? 0n)
  const [text = '0'] = formatAmount(amount, currency).split(' ')
  return { catalogue, currency, text, minorAMonth: Number(amount / (interval === 'year' ? 12n : 1n)) }
}

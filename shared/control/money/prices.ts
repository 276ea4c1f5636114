/** The prices of a catalogue that was read, as numbers. */
import { type Currency, currencySchema, parseAmount, parseRate } from './amounts.ts'
import { type Catalogue, type Interval, intervals, type Plan } from './catalogue-schema.ts'

/** Currencies that anything is sold in. */
export function currenciesOf({ plans, transfer }: Catalogue): readonly Currency[] {
  const found = Object.values(plans).flatMap(({ prices }) => intervals.flatMap((of) => pricesIn(prices[of])))
  return [...new Set([...found, ...pricesIn(transfer?.perGB)].map(([currency]) => currency))]
}

/** The entries of prices, in their order. */
export function pricesIn(
  prices: Partial<Record<Currency, string>> | undefined,
): readonly (readonly [Currency, string])[] {
  return Object.entries(prices ?? {}).map(([currency, text]) => [currencySchema.parse(currency), text])
}

/** Minor units for one interval. @returns undefined where the plan is not sold so */
export function priceOf(
  { prices }: Pick<Plan, 'prices'>,
  interval: Interval,
  currency: Currency,
): bigint | undefined {
  const text = prices[interval]?.[currency]
  return text === undefined ? undefined : parseAmount(text, currency)
}

/** Minor units for each further seat and interval. @returns undefined where no more can be had */
export function seatPriceOf({ seats }: Pick<Plan, 'seats'>, interval: Interval, currency: Currency) {
  return seats && priceOf(seats, interval, currency)
}

/** For each 10^6 bytes, in 10^-12 minor units. @returns undefined where no more transfer is sold */
export function transferRateOf({ transfer }: Catalogue, currency: Currency): bigint | undefined {
  const text = transfer?.perGB[currency]
  return text === undefined ? undefined : parseRate(text, currency) / 1_000n
}

export function isSold({ prices }: Pick<Plan, 'prices'>): boolean {
  return intervals.some((interval) => prices[interval] !== undefined)
}

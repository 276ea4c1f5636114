/**
 * Exact money. An amount is a bigint of the currency's minor units as Stripe counts them (docs.stripe.com/currencies);
 * a rate is a bigint of 10^-12 minor units, for prices like 0.012 cents a megabyte. No number with a fraction appears.
 */
import { z } from 'zod'

/** Decimal places of a rate. */
const rateScale = 12
const one = 10n ** BigInt(rateScale)

/** `digits`: places of a minor unit. `step`: amounts that are charged are multiples of it. */
type CurrencyRule = { readonly digits: number; readonly step: bigint }

/**
 * Stripe counts ISK and UGX in hundredths that must be whole, and the currencies with three places in tenths of a minor
 * unit that must end in 0. A currency that is not here cannot be in a catalogue.
 */
const currencyRules = {
  aud: { digits: 2, step: 1n },
  bhd: { digits: 3, step: 10n },
  brl: { digits: 2, step: 1n },
  cad: { digits: 2, step: 1n },
  chf: { digits: 2, step: 1n },
  clp: { digits: 0, step: 1n },
  czk: { digits: 2, step: 1n },
  dkk: { digits: 2, step: 1n },
  eur: { digits: 2, step: 1n },
  gbp: { digits: 2, step: 1n },
  inr: { digits: 2, step: 1n },
  isk: { digits: 2, step: 100n },
  jpy: { digits: 0, step: 1n },
  krw: { digits: 0, step: 1n },
  kwd: { digits: 3, step: 10n },
  mxn: { digits: 2, step: 1n },
  nok: { digits: 2, step: 1n },
  nzd: { digits: 2, step: 1n },
  pln: { digits: 2, step: 1n },
  sek: { digits: 2, step: 1n },
  sgd: { digits: 2, step: 1n },
  tnd: { digits: 3, step: 10n },
  try: { digits: 2, step: 1n },
  ugx: { digits: 2, step: 100n },
  usd: { digits: 2, step: 1n },
} as const satisfies Record<string, CurrencyRule>

export type Currency = keyof typeof currencyRules
const currencies = Object.keys(currencyRules) as Currency[]
export const currencySchema = z.enum(currencies as [Currency, ...Currency[]])

/** "9.00", "0.0125": no sign, no exponent, at most 9 digits before the point. */
export const decimalSchema = z.string().regex(/^\d{1,9}(\.\d{1,9})?$/, 'an amount is a text like "9.00"')

/** @param text as `decimalSchema` allows @returns `text` x 10^12 */
export function parseDecimal(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(whole) * one + BigInt(fraction.padEnd(rateScale, '0'))
}

/** A rate from a text in major units: "0.12" USD is 12 cents, so 12 x 10^12. */
export function parseRate(text: string, currency: Currency): bigint {
  return parseDecimal(text) * 10n ** BigInt(currencyRules[currency].digits)
}

/** @returns undefined when `text` is no amount that Stripe can charge, such as "9.001" USD */
export function parseAmount(text: string, currency: Currency): bigint | undefined {
  const rate = parseRate(text, currency)
  const { step } = currencyRules[currency]
  return rate % (one * step) === 0n ? rate / one : undefined
}

/** Half away from zero, to the currency's step. @param rate in 10^-12 minor units */
export function roundRate(rate: bigint, currency: Currency): bigint {
  const { step } = currencyRules[currency]
  return divideRounded(rate, one * step) * step
}

/** The largest whole number of units that `amount` pays for at `rate` each. @param rate above 0 */
export function unitsFor(amount: bigint, rate: bigint): bigint {
  return (amount * one) / rate
}

/** A rate of whole minor units. */
export function rateOf(amount: bigint): bigint {
  return amount * one
}

/** n/d, half away from zero. @param d above 0 */
export function divideRounded(n: bigint, d: bigint): bigint {
  const isNegative = n < 0n
  const size = isNegative ? -n : n
  const rounded = (2n * size + d) / (2n * d)
  return isNegative ? -rounded : rounded
}

/** As people read it: "9.00 USD", "-0.50 EUR", "1200 JPY". */
export function formatAmount(amount: bigint, currency: Currency): string {
  const { digits } = currencyRules[currency]
  const size = amount < 0n ? -amount : amount
  const text = size.toString().padStart(digits + 1, '0')
  const point = text.length - digits
  const number = digits === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`
  return `${amount < 0n ? '-' : ''}${number} ${currency.toUpperCase()}`
}

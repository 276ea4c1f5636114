/**
 * The arithmetic of this server alone, written from Stripe's documents and not from ours: if both sides shared it, they
 * would share its mistakes. Amounts are whole minor units.
 */

type Fraction = { readonly top: bigint; readonly bottom: bigint }

/** @param text such as "0.012" */
export function fractionOf(text: string): Fraction {
  const point = text.indexOf('.')
  if (point < 0) return { top: BigInt(text), bottom: 1n }
  const places = text.length - point - 1
  return { top: BigInt(text.slice(0, point) + text.slice(point + 1)), bottom: 10n ** BigInt(places) }
}

/** `quantity` units at `unit` minor units each, rounded once. */
export function priced(unit: string, quantity: number): number {
  const { top, bottom } = fractionOf(unit)
  return Number(nearest(top * BigInt(quantity), bottom))
}

/** The part of `amount` that falls on `part` of `whole` seconds, rounded once. */
export function partOf(amount: number, part: number, whole: number): number {
  return Number(nearest(BigInt(amount) * BigInt(part), BigInt(whole)))
}

/** Tax on an amount without it. @param rate such as "0.19" */
export function taxOn(amount: number, rate: string): number {
  const { top, bottom } = fractionOf(rate)
  return Number(nearest(BigInt(amount) * top, bottom))
}

/** Tax inside of an amount. */
export function taxIn(amount: number, rate: string): number {
  const { top, bottom } = fractionOf(rate)
  return amount - Number(nearest(BigInt(amount) * bottom, bottom + top))
}

/** A half goes away from zero. @param bottom above 0 */
function nearest(top: bigint, bottom: bigint): bigint {
  const whole = top / bottom
  const left = top % bottom
  const half = (left < 0n ? -left : left) * 2n >= bottom
  if (!half) return whole
  return left < 0n ? whole - 1n : whole + 1n
}

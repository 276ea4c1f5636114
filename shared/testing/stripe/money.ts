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

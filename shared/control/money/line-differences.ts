/** Compares the lines of invoices with those of `bill()`: by price, time, quantity and amount. */
import type { BillLine } from './bill.ts'

/** A line as both sides have it. */
export type ComparedLine = Omit<BillLine, 'kind'>

/** Each proration is rounded on its own at Stripe, and as a difference of sums in `bill()`. */
const prorationSlack = 1n

/**
 * Plans and seats of one period.
 * @returns what one side alone has, in words
 */
export function lineDifferences(
  found: readonly ComparedLine[],
  wanted: readonly ComparedLine[],
): readonly string[] {
  const left = found.filter(({ isProration, amount }) => !isProration || amount !== 0n)
  const wrong: string[] = []
  for (const line of wanted) {
    const slack = line.isProration ? prorationSlack : 0n
    const at = left.findIndex(
      (one) =>
        one.price === line.price &&
        one.isProration === line.isProration &&
        one.from === line.from &&
        one.quantity === line.quantity &&
        distance(one.amount, line.amount) <= slack,
    )
    if (at >= 0) left.splice(at, 1)
    else wrong.push(`bill() has ${inWords(line)}`)
  }
  return [...wrong, ...left.map((line) => `Stripe has ${inWords(line)}`)]
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a
}

function inWords({ price, isProration, from, to, quantity, amount }: ComparedLine): string {
  const span = `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`
  return `${quantity} x ${price} for ${amount}${isProration ? ' (rest)' : ''}, ${span}`
}

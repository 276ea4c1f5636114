/** Hours of usage, as the bars of a chart. */
import type { UsageAnswer } from '@porttunneler/shared/api/schemas/service'

export type Bar = { readonly at: number; readonly in: number; readonly out: number }

/**
 * One bar for each step from the first to the last, also where nothing was carried.
 * @param stepMs an hour, or a day: days are those of UTC, as on the bill
 */
export function barsOf(
  { from, to, hours }: Pick<UsageAnswer, 'from' | 'to' | 'hours'>,
  stepMs: number,
): readonly Bar[] {
  const startOf = (ms: number) => Math.floor(ms / stepMs) * stepMs
  const sums = new Map<number, Bar>()
  for (let at = startOf(from); at <= to; at += stepMs) sums.set(at, { at, in: 0, out: 0 })
  for (const { hour, in: inward, out } of hours) {
    const sum = sums.get(startOf(hour))
    if (sum) sums.set(sum.at, { at: sum.at, in: sum.in + inward, out: sum.out + out })
  }
  return [...sums.values()]
}

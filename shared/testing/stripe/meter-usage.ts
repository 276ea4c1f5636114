/** What meters received. */

/** By one customer at one meter: first second of an hour -> value, or all values where nothing is aggregated before. */
export type HourValues = Map<number, number>
export type Usage = {
  /** `meter customer` -> values. */
  readonly values: Map<string, HourValues>
  /** `event name identifier` -> when it came, s: an identifier counts once. */
  readonly identifiers: Map<string, number>
  /** Problems since the last report, by meter; '' = no meter has the event's name. */
  readonly problems: Map<string, MeterProblem[]>
  /** When the first of them came, s. */
  problemsSince: number | undefined
}
export type MeterProblem = { readonly code: string; readonly message: string; readonly identifier: string }

export function emptyUsage(): Usage {
  return { values: new Map(), identifiers: new Map(), problems: new Map(), problemsSince: undefined }
}

/** What counts from `start` (inclusive) to `end` (exclusive): seconds, matched by an hour's first one. */
export function sumOf(
  usage: Usage,
  { meter, customer }: { meter: string; customer: string },
  from: Range,
): number {
  let sum = 0
  for (const [hour, value] of usage.values.get(`${meter} ${customer}`) ?? [])
    if (hour >= from.start && hour < from.end) sum += value
  return sum
}
type Range = { readonly start: number; readonly end: number }

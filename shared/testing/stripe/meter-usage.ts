/** What meters received. */

/** By one customer at one meter: first second of an hour -> value, or all values where nothing is aggregated before. */
export type HourValues = Map<number, number>
export type Usage = {
  /** `meter customer` -> values. */
  readonly values: Map<string, HourValues>
  /** `event name identifier` -> when it came, s: an identifier counts once. */
  readonly identifiers: Map<string, number>
  /** Problems since the last report, by meter. */
  readonly problems: Map<string, MeterProblem[]>
}
export type MeterProblem = { readonly code: string; readonly message: string; readonly identifier: string }

export function emptyUsage(): Usage {
  return { values: new Map(), identifiers: new Map(), problems: new Map() }
}

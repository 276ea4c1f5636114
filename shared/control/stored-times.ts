/**
 * Wall times that were stored. A fast control plane clock leaves times that lie ahead when it is set back, and code
 * that waits for one would wait as long. So each is believed only as far ahead as anything of its kind lasts, which
 * every use names; ahead.ts corrects those that others find by their order.
 */
import { limits } from '../protocol/limits.ts'

/** The time now, and the longest that this kind of thing lasts. */
export type Span = { readonly nowMs: number; readonly lastsMs: number }

/** Whether only a wrong clock can have set it. Clocks of programs that share a store differ a little. */
export function isAhead(atMs: number, { nowMs, lastsMs }: Span): boolean {
  return atMs > nowMs + lastsMs + limits.skewMs
}

/** The stored time, or if it lies too far ahead, the longest from now. A time in the past is over. */
export function believed(atMs: number, span: Span): number {
  return isAhead(atMs, span) ? span.nowMs + span.lastsMs : atMs
}

/** How far something is done. A mark that lies in the future counts for nothing: then it is done again from `start`. */
export function markOf(doneTo: number, { start, nowMs }: { start: number; nowMs: number }): number {
  return isAhead(doneTo, { nowMs, lastsMs: 0 }) ? start : doneTo
}

/** Whether something that a right clock began still lasts. */
export function isStillOn(untilMs: number, span: Span): boolean {
  return untilMs > span.nowMs && !isAhead(untilMs, span)
}

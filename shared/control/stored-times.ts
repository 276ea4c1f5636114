/**
 * Wall times that were stored. A control plane whose clock was ahead leaves some that lie as far ahead when it is set
 * back, and whoever waits for one would wait as long. So each is believed only as far ahead as anything of its kind
 * lasts, which every use names; ahead.ts puts right those that others find by their order.
 */
import { limits } from '../protocol/limits.ts'

/** The time now, and the longest that such a thing lasts. */
export type Span = { readonly nowMs: number; readonly lastsMs: number }

/** Whether no right clock has put it there. Those of programs that share a store differ a little. */
export function isAhead(atMs: number, { nowMs, lastsMs }: Span): boolean {
  return atMs > nowMs + lastsMs + limits.skewMs
}

/** As it was stored; its longest from now on where it lies further ahead. A time in the past lasts nothing. */
export function believed(atMs: number, span: Span): number {
  return isAhead(atMs, span) ? span.nowMs + span.lastsMs : atMs
}

/** Whether something that began with a right clock goes on. */
export function isStillOn(untilMs: number, span: Span): boolean {
  return untilMs > span.nowMs && !isAhead(untilMs, span)
}

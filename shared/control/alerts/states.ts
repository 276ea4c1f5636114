/**
 * How an alert goes on when its subject is found in trouble or well. Pure. Whoever is told twice of the same stops
 * reading, so:
 *
 * - an end counts when it has lasted two minutes;
 * - a subject that fails again before that, or within half an hour of its end, is unsteady: its people hear this once,
 *   then nothing until it has been well for half an hour, and then of that end.
 */
import type { AlertDoc, AlertKey, News } from './alert-documents.ts'

const minuteMs = 60_000
/** A restart that fails looks well for a moment. */
export const endHoldMs = 2 * minuteMs
export const steadyMs = 30 * minuteMs
const timelineMax = 40
/** After its last change; what was wrong a quarter ago helps nobody. */
const keptMs = 90 * 24 * 60 * minuteMs

export type Trouble = {
  readonly since: number
  readonly name: string
  readonly cause: string
  readonly cure?: string | undefined
  readonly code?: string | undefined
}

/** @returns undefined when nothing changes */
export function afterTrouble(
  before: AlertDoc | undefined,
  key: AlertKey,
  { trouble, nowMs, damped }: { readonly trouble: Trouble; readonly nowMs: number; readonly damped: boolean },
): AlertDoc | undefined {
  const { since, name, cause, cure = '', code = '' } = trouble
  const told = { name, cause, cure, code }
  if (!before) return fired(undefined, key, { ...told, since, nowMs })
  if (before.state === 'resolved') {
    if (before.closedBy !== '' && since <= before.endedAt) return undefined
    const isAgain = damped && before.closedBy === '' && nowMs - before.endedAt < steadyMs
    if (!isAgain) return fired(before, key, { ...told, since, nowMs })
    return withNews(changed(before, nowMs, 'failed again: it is unsteady'), 'unsteady', {
      ...told,
      state: 'firing',
      unsteady: true,
      endedAt: 0,
      quietAt: 0,
    })
  }
  if (before.quietAt > 0) {
    const back = { ...told, quietAt: 0 }
    if (before.unsteady) return { ...before, ...back }
    const next = changed(before, nowMs, 'failed again: it is unsteady')
    return withNews(next, 'unsteady', { ...back, unsteady: true })
  }
  if (before.code === code && before.cause === cause) return undefined
  return { ...before, ...told, ...(before.code !== code && { last: nowMs }) }
}

function fired(
  before: AlertDoc | undefined,
  key: AlertKey,
  {
    nowMs,
    ...told
  }: { name: string; cause: string; cure: string; code: string; since: number; nowMs: number },
): AlertDoc {
  const blank: AlertDoc = {
    ...key,
    ...told,
    state: 'firing',
    last: nowMs,
    endedAt: 0,
    quietAt: 0,
    unsteady: false,
    news: '',
    untold: 0,
    toldAt: 0,
    closedBy: '',
    mutedUntil: before?.mutedUntil ?? 0,
    timeline: before?.timeline ?? [],
    ttl: new Date(nowMs + keptMs),
  }
  return withNews(changed(blank, nowMs, 'began'), 'begun', {})
}

/**
 * @param quietly its end is nobody's news: somebody stopped it on purpose, or wants to hear no more of this
 * @returns undefined when nothing changes
 */
export function afterQuiet(
  before: AlertDoc | undefined,
  { nowMs, damped, quietly = false }: { nowMs: number; damped: boolean; quietly?: boolean },
): AlertDoc | undefined {
  if (!before || before.state === 'resolved') return undefined
  if (damped && !quietly) {
    if (before.quietAt === 0) return { ...before, quietAt: nowMs }
    if (nowMs < quietEnd(before)) return undefined
  }
  const endedAt = before.quietAt > 0 ? before.quietAt : nowMs
  const next = changed(before, nowMs, quietly ? 'ended: it was stopped or turned off' : 'ended')
  const ended = { state: 'resolved', endedAt, quietAt: 0, unsteady: false } as const
  // People who were told of the beginning hear of the end.
  if (quietly && before.toldAt === 0) return withNews(next, '', ended)
  return withNews(next, 'ended', ended)
}

/** When an alert that looks well is over. */
export function quietEnd({ quietAt, unsteady }: AlertDoc): number {
  return quietAt + (unsteady ? steadyMs : endHoldMs)
}

/** With a line in its timeline. */
export function changed(before: AlertDoc, nowMs: number, what: string, by = ''): AlertDoc {
  const timeline = [...before.timeline, { at: nowMs, what, by }].slice(-timelineMax)
  return { ...before, last: nowMs, timeline, ttl: new Date(nowMs + keptMs) }
}

function withNews(next: AlertDoc, news: News, fields: Partial<AlertDoc>): AlertDoc {
  const isMuted = next.mutedUntil > next.last
  const isNews = news !== '' && !isMuted
  return { ...next, ...fields, news: isNews ? news : '', untold: isNews ? 1 : 0 }
}

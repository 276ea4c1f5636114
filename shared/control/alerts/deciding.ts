/** What becomes of an alert when its subject was looked at. Pure: looks of tunnels and of the service share it. */
import type { Snapshot } from '../platform.ts'
import type { AlertDoc, AlertKey } from './alert-documents.ts'
import type { Effective } from './kinds.ts'
import { afterQuiet, afterTrouble, quietEnd, type Trouble } from './states.ts'

const minuteMs = 60_000
/** An end is seen within a minute at first, and later within five: who has waited for an hour waits for these too. */
const pollMs = minuteMs
const longPollMs = 5 * minuteMs
const longAfterMs = 30 * minuteMs

/** 'unclear': nobody can tell now, so everything stays as it is. 'stopped': on purpose. */
export type Finding = 'well' | 'unclear' | 'stopped' | Trouble

export type Judged = {
  readonly key: AlertKey
  readonly finding: Finding
  readonly rule: Pick<Effective, 'on' | 'forMs'>
  /** When the maintenance that it is under now ends; undefined: it is under none. */
  readonly maintained: number | undefined
}

/** @returns the alert afterwards if it changes, and when to look again; undefined: there is nothing to wait for */
export function decide(
  before: Snapshot<AlertDoc> | undefined,
  { key, finding, rule, maintained }: Judged,
  nowMs: number,
): { readonly next?: AlertDoc | undefined; readonly dueAt?: number } {
  const isOpen = before !== undefined && before.data.state !== 'resolved'
  if (!rule.on || finding === 'stopped')
    return { next: afterQuiet(before?.data, { nowMs, damped: true, quietly: true }) }
  if (finding === 'unclear') return isOpen ? { dueAt: nowMs + pollMs } : { dueAt: nowMs + longPollMs }
  if (finding === 'well') {
    const next = afterQuiet(before?.data, { nowMs, damped: true })
    const after = next ?? before?.data
    return after && after.state !== 'resolved' ? { next, dueAt: quietEnd(after) } : { next }
  }
  const lasted = finding.since + rule.forMs
  if (!isOpen && maintained !== undefined) return { dueAt: maintained }
  if (!isOpen && lasted > nowMs) return { dueAt: lasted }
  const next = afterTrouble(before?.data, key, { trouble: finding, nowMs, damped: true })
  // Closed by hand: the next event asks again.
  if (!next && !isOpen) return {}
  return { next, dueAt: nowMs + (nowMs - finding.since < longAfterMs ? pollMs : longPollMs) }
}

/**
 * Things that strangers can cause as often as they like, such as failed sign-ins, are counted by account, source and
 * hour, so that a flood of them does not flood the log: the first of a source is written at once, the count when the
 * hour is over.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { type AuditAction, writeAudit } from '../audit.ts'
import { type AuditTallyDoc, auditTallies } from '../audit-documents.ts'
import type { Control } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import type { Store } from '../platform.ts'

const hourMs = 3_600_000
/** For each account and hour; further sources are one number. A transaction's documents are limited. */
export const sourcesMax = 15

export type Repeated = {
  readonly action: AuditAction
  readonly target: string
  readonly from: string
  readonly userAgent?: string | undefined
  /** Default: 1. */
  readonly count?: number
}

/** Nobody knows who did it. */
const actor = 'anonymous'

/** @param account '' = the service itself */
export async function recordRepeated(
  { store, clock }: { readonly store: Pick<Store, 'transact'>; readonly clock: Pick<Clock, 'now'> },
  account: string,
  events: readonly Repeated[],
): Promise<void> {
  const nowMs = clock.now()
  const hour = Math.floor(nowMs / hourMs)
  const subject = `${account || 'service'}:${hour}`
  const wish = { kind: 'audit.tally', subject, account, dueAt: (hour + 1) * hourMs }
  await store.transact(async (tx) => {
    const before = await tx.get(auditTallies.ref(subject))
    const ask = before ? undefined : await look(tx, wish, nowMs)
    const next = { account, others: before?.data.others ?? 0, sources: { ...before?.data.sources } }
    for (const { count = 1, userAgent, ...event } of events) {
      const key = keyOf(event)
      const known = next.sources[key]
      if (known) next.sources[key] = { ...known, count: known.count + count }
      else if (Object.keys(next.sources).length >= sourcesMax) next.others += count
      else {
        next.sources[key] = { ...event, count }
        writeAudit(tx, { account, actor, ...event, userAgent }, nowMs)
      }
    }
    tx.set(auditTallies.ref(subject), next)
    ask?.()
  })
}

function keyOf({ action, target, from }: Pick<Repeated, 'action' | 'target' | 'from'>): string {
  return createHash('sha256').update(`${action}\n${target}\n${from}`).digest('hex').slice(0, 16)
}

export function writeTallies(control: Control): JobKind {
  return { name: 'audit.tally', attemptsMax: 12, waitsMs: hourMs, run: (job) => writeCounts(control, job) }
}

async function writeCounts({ clock }: Pick<Control, 'clock'>, job: RunningJob): Promise<void> {
  const ref = auditTallies.ref(job.subject)
  await job.finish(async (tx) => {
    const found = await tx.get(ref)
    if (!found) return
    const { account, sources, others } = found.data
    for (const { count, ...event } of Object.values(sources))
      if (count > 1) writeAudit(tx, { ...entryOf(account, event), details: { count } }, clock.now())
    if (others > 0) {
      const event = { action: 'auth.failed', target: 'others', from: '' }
      writeAudit(tx, { ...entryOf(account, event), details: { count: others } }, clock.now())
    }
    tx.delete(ref)
  })
}

function entryOf(account: string, { action, target, from }: Omit<AuditTallyDoc['sources'][string], 'count'>) {
  return { account, actor, action: action as AuditAction, target, from }
}

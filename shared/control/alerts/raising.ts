/**
 * How the rest of the control plane says that something is wrong, or well again, in the transaction in which it finds
 * that out. What has to last a while first, or may come and go, asks for a look instead (`lookToWatch`).
 */
import type { Control } from '../control.ts'
import { look, type RunningJob } from '../jobs/jobs.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { type AlertDoc, type AlertKey, type AlertRulesDoc, alertRef } from './alert-documents.ts'
import { decide, type Finding, type Judged } from './deciding.ts'
import { firstLookMs, maintenanceEnd, ruleFor } from './kinds.ts'
import { afterQuiet, afterTrouble, type Trouble } from './states.ts'

/** News of one account wait for each other so long: a machine with 20 tunnels is one mail. */
const gatherMs = 60_000

/**
 * Something of an account ('' = the service) is wrong, and that is certain. Raising it again changes nothing. Reads, so
 * call it before the first write; the returned function writes, and returns the jobs to kick.
 */
export async function lookToRaise(
  tx: Transaction,
  key: AlertKey,
  { trouble, nowMs }: { readonly trouble: Trouble; readonly nowMs: number },
): Promise<() => readonly string[]> {
  const before = await tx.get(alertRef(key))
  return lookToWrite(tx, before, {
    next: afterTrouble(before?.data, key, { trouble, nowMs, damped: false }),
    nowMs,
  })
}

/** It is well again; where nothing was raised this changes nothing. Otherwise as `lookToRaise`. */
export async function lookToSettle(
  tx: Transaction,
  key: AlertKey,
  nowMs: number,
): Promise<() => readonly string[]> {
  const before = await tx.get(alertRef(key))
  return lookToWrite(tx, before, { next: afterQuiet(before?.data, { nowMs, damped: false }), nowMs })
}

/** Stores the next state of an alert, and has its people told if there is news. Reads first, as `look` of jobs. */
function lookToWrite(
  tx: Transaction,
  before: Snapshot<AlertDoc> | undefined,
  { next, nowMs }: { readonly next: AlertDoc | undefined; readonly nowMs: number },
): Promise<() => readonly string[]> {
  return lookToWriteAll(tx, [{ before, next }], nowMs)
}

export type AlertChange = {
  readonly before: Snapshot<AlertDoc> | undefined
  readonly next: AlertDoc | undefined
}

/** As `lookToWrite`, for several alerts of one account: they share a mail, and no document is written twice. */
export async function lookToWriteAll(
  tx: Transaction,
  changes: readonly AlertChange[],
  nowMs: number,
): Promise<() => readonly string[]> {
  const news = changes.find(({ next }) => next?.untold === 1)?.next
  const tell = news && (await lookToTell(tx, news.account, nowMs + gatherMs))
  return () => {
    for (const { before, next } of changes) if (next) tx.set(before?.ref ?? alertRef(next), next)
    // The time of the mail has come for nobody yet, so there is nothing to kick.
    tell?.()
    return []
  }
}

export type Found = {
  readonly key: AlertKey
  readonly finding: Finding
  readonly rules: AlertRulesDoc
  /** Narrower rules may be about it. */
  readonly tunnel?: { readonly id: string; readonly tags?: readonly string[] | undefined }
}

/**
 * A step of a job that looks: judges what was found by the rules of its account, and stores the alert if it changes.
 * @param known the alert as it was when the look began
 * @returns when to look again; undefined: there is nothing to wait for
 */
export async function judge(
  control: Pick<Control, 'log'>,
  job: Pick<RunningJob, 'advance' | 'progress'>,
  { key, finding, rules, tunnel }: Found,
  { known, nowMs }: { readonly known: Snapshot<AlertDoc> | undefined; readonly nowMs: number },
): Promise<number | undefined> {
  const rule = ruleFor(key.kind, rules, tunnel)
  const judged = { key, finding, rule, maintained: maintenanceEnd(rules, { subject: key.subject, nowMs }) }
  const { next, dueAt } = decide(known, judged, nowMs)
  if (next) await writeJudged(control, job, judged, nowMs)
  return dueAt
}

/** Decides again by what the transaction reads. */
async function writeJudged(
  { log }: Pick<Control, 'log'>,
  job: Pick<RunningJob, 'advance' | 'progress'>,
  judged: Judged,
  nowMs: number,
): Promise<void> {
  const { key, finding } = judged
  await job.advance(job.progress, async (tx) => {
    const before = await tx.get(alertRef(key))
    const { next } = decide(before, judged, nowMs)
    const put = await lookToWrite(tx, before, { next, nowMs })
    put()
  })
  log.info({ ...key, finding: typeof finding === 'string' ? finding : 'trouble' }, 'an alert changed')
}

function lookToTell(tx: Transaction, account: string, dueAt: number): Promise<() => string> {
  return look(
    tx,
    { kind: 'alert.tell', subject: account === '' ? 'service' : account, account, dueAt },
    dueAt,
  )
}

/**
 * A tunnel may be in trouble: it is looked at in a minute, and then for as long as it is. Reads, so call it before the
 * first write; the returned function writes. Nothing has to be kicked.
 */
export async function lookToWatch(
  tx: Transaction,
  { account, tunnel }: { readonly account: string; readonly tunnel: string },
  nowMs: number,
): Promise<() => void> {
  const wish = { kind: 'alert.check', subject: tunnel, account, dueAt: nowMs + firstLookMs }
  const ask = await look(tx, wish, nowMs)
  return () => {
    ask()
  }
}

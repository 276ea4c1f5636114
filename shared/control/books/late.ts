/**
 * Usage for an hour that may have been counted already: the hour is noted, and a job counts it again. The note is
 * written after the rows, even when they were known, so a crash in between loses nothing.
 */
import type { Usage } from '../../api/schemas/relays.ts'
import type { Control } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { pieces } from '../piecewise.ts'
import type { Snapshot } from '../platform.ts'
import { type UsageLateDoc, usageLate } from '../usage-documents.ts'
import { hourMs } from './calendar.ts'
import { sumByHour } from './hours.ts'
import { addToMonths } from './months.ts'
import { countHours } from './periods.ts'
import { eachRows } from './rows.ts'

const kind = 'usage.late'
/** The roll-up of an hour reads its rows 20 min after its end; clocks may differ by some minutes. */
const graceMs = 10 * 60_000
const keepMs = 40 * 24 * hourMs
const accountsAtOnce = 32

/** Notes which part of a report came late, by account. */
export async function recordLate(control: Control, rows: readonly Usage[]): Promise<void> {
  const recent = control.clock.now() - hourMs - graceMs
  const late = new Map<string, Set<number>>()
  for (const { account, hour } of rows) {
    if (hour >= recent) continue
    const hours = late.get(account) ?? new Set()
    late.set(account, hours.add(hour))
  }
  for (const some of pieces([...late], accountsAtOnce)) {
    const ids = await Promise.all(some.map(([account, hours]) => note(control, account, hours)))
    await kick(control, ids)
  }
}

function note(control: Control, account: string, hours: ReadonlySet<number>): Promise<string> {
  const nowMs = control.clock.now()
  const ref = usageLate.ref(account)
  return control.store.transact(async (tx) => {
    const known = (await tx.get(ref))?.data.hours ?? []
    const write = await look(tx, { kind, subject: account, account }, nowMs)
    const all = [...new Set([...known, ...hours])].sort((a, b) => a - b)
    tx.set(ref, { account, hours: all, ttl: new Date(nowMs + keepMs) })
    return write()
  })
}

/** Counts an account's late hours again. */
export function countLate(control: Control): JobKind {
  return { name: kind, attemptsMax: 100, run: (job) => recount(control, job) }
}

async function recount(control: Control, job: RunningJob): Promise<void> {
  const ref = usageLate.ref(job.account)
  const noted = await control.store.get(ref)
  for (const [from, to] of runsOf(noted)) {
    const rows = []
    for await (const page of eachRows(control, { account: job.account, from, to })) {
      job.signal.throwIfAborted()
      rows.push(...page)
    }
    await countHours(control, { account: job.account, hours: sumByHour(rows) })
    await addToMonths(control, rows)
    await job.advance({})
  }
  await job.finish(async (tx) => {
    // Usage that came meanwhile has asked for the job again.
    if ((await tx.get(ref))?.version === noted?.version) tx.delete(ref)
  })
}

/** Groups hours that follow each other, up to a day, to read them together. */
function runsOf(noted: Snapshot<UsageLateDoc> | undefined): readonly (readonly [from: number, to: number])[] {
  const runs: [number, number][] = []
  for (const hour of noted?.data.hours ?? []) {
    const last = runs.at(-1)
    if (last && hour === last[1] + hourMs && hour - last[0] < 24 * hourMs) last[1] = hour
    else runs.push([hour, hour])
  }
  return runs
}

/**
 * The hourly roll-up: 20 min after an hour has ended, its rows are read once, in the order of their accounts, and added
 * to the period of each. Periods also turn from open to closing and closed here. docs/decisions/0048
 */
import { z } from 'zod'
import { limits } from '../../protocol/limits.ts'
import type { Control } from '../control.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { pieces } from '../piecewise.ts'
import type { Page, QueryOptions } from '../platform.ts'
import { queries } from '../query-table.ts'
import { isAhead, markOf } from '../stored-times.ts'
import { type UsageHourDoc, type UsagePeriodDoc, usageLate } from '../usage-documents.ts'
import { carryOver } from './before.ts'
import { hourMs, hourOf, monthStart } from './calendar.ts'
import { addRow, type Sum, zero } from './hours.ts'
import { closingMs, countHours } from './periods.ts'

/** By then relays have reported the whole hour: they do so with their first sync after it. */
const afterMs = 20 * 60_000
/** Accounts share no document, so these run side by side. */
const accountsAtOnce = 16
const progressSchema = z.object({
  /** The hour to count next; undefined at the very first run. */
  hour: z.int().optional(),
  /** In that hour, accounts before this one are done. */
  account: z.string().default(''),
})
type Progress = { readonly hour: number; readonly account: string }

export function countUsage(control: Control): JobKind {
  const run = (job: RunningJob) => count(control, job)
  // It runs again anyway: a failure is retried and never given up.
  return {
    name: 'usage.hours',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs: hourMs,
    waitsMs: hourMs + afterMs,
    run,
  }
}

async function count(control: Control, job: RunningJob): Promise<void> {
  const nowMs = control.clock.now()
  await carryOver(control)
  const known = progressSchema.parse(job.progress)
  // Releases up to 0.1 rolled up only the current month, so the one before may lack its last hours.
  const first = monthStart(nowMs, -1)
  // A clock that was ahead has counted hours that have yet to come; counting one twice changes nothing.
  const hour = markOf(known.hour ?? first, { start: first, nowMs })
  let progress: Progress = { account: hour === known.hour ? known.account : '', hour }
  const end = hourOf(nowMs - afterMs)
  for (;;) {
    const hour = await hourWithRows(control, progress.hour)
    if (hour === undefined || hour >= end) break
    await countHour(control, job, hour === progress.hour ? progress : { hour, account: '' })
    progress = { hour: hour + hourMs, account: '' }
  }
  progress = { hour: Math.max(end, progress.hour), account: '' }
  await reopen(control, job)
  await turn(control, job)
  await job.pause({ ...progress }, end + hourMs + afterMs)
}

async function hourWithRows(control: Control, from: number): Promise<number | undefined> {
  const { items } = await control.store.query(queries.usageByHour, { where: {}, from, limit: 1 })
  return items[0]?.data.hour
}

async function countHour(control: Control, job: RunningJob, { hour, account }: Progress): Promise<void> {
  let sums = new Map<string, Sum>()
  for await (const page of pagesOfHour(control, hour, account)) {
    job.signal.throwIfAborted()
    for (const row of page) {
      const sum = sums.get(row.account) ?? zero()
      sums.set(row.account, sum)
      addRow(sum, row)
    }
    // The last account may continue on the next page.
    const last = page.at(-1)?.account ?? ''
    const open = sums.get(last)
    sums.delete(last)
    await countAll(control, hour, sums)
    sums = new Map(open && [[last, open]])
    if (page.length > 0) await job.advance({ hour, account: last })
  }
  await countAll(control, hour, sums)
  await job.advance({ hour: hour + hourMs, account: '' })
}

async function* pagesOfHour(
  control: Control,
  hour: number,
  from: string,
): AsyncGenerator<readonly UsageHourDoc[]> {
  let after: QueryOptions['after']
  do {
    const options = { where: { hour }, from, limit: 500, ...(after && { after }) }
    const page: Page<UsageHourDoc> = await control.store.query(queries.usageOfHour, options)
    yield page.items.map(({ data }) => data)
    after = page.next
  } while (after)
}

async function countAll(control: Control, hour: number, sums: ReadonlyMap<string, Sum>): Promise<void> {
  for (const some of pieces([...sums], accountsAtOnce))
    await Promise.all(
      some.map(([account, sum]) =>
        countHours(control, { account, hours: new Map([[hour, sum]]), countedTo: hour + hourMs }),
      ),
    )
}

/** A period whose end has yet to come is open: a clock that was ahead had ended it. */
async function reopen({ store, clock }: Control, job: RunningJob): Promise<void> {
  const nowMs = clock.now()
  let after: QueryOptions['after']
  do {
    const from = nowMs + closingMs + limits.skewMs
    const options = { where: { state: 'closing' }, from, limit: 200, ...(after && { after }) }
    const page: Page<UsagePeriodDoc> = await store.query(queries.periodsByState, options)
    for (const { ref } of page.items) {
      job.signal.throwIfAborted()
      await store.change<UsagePeriodDoc>(ref, (current) =>
        current?.state === 'closing' && isAhead(current.end, { nowMs, lastsMs: 0 })
          ? { ...current, state: 'open', turnsAt: current.end }
          : 'keep',
      )
    }
    after = page.next
  } while (after)
}

/** open -> closing at the end, -> closed 48 h later, unless late usage still has to be counted. */
async function turn(control: Control, job: RunningJob): Promise<void> {
  const nowMs = control.clock.now()
  for (const state of ['open', 'closing'] as const) {
    let after: QueryOptions['after']
    do {
      const options = { where: { state }, to: nowMs, limit: 200, ...(after && { after }) }
      const page: Page<UsagePeriodDoc> = await control.store.query(queries.periodsByState, options)
      for (const { ref } of page.items) {
        job.signal.throwIfAborted()
        await control.store.transact(async (tx) => {
          const current = (await tx.get(ref))?.data
          if (current?.state !== state || current.turnsAt > nowMs) return
          if (state === 'open')
            tx.set(ref, { ...current, state: 'closing', turnsAt: current.end + closingMs })
          else if (!(await tx.get(usageLate.ref(current.account))))
            tx.set(ref, { ...current, state: 'closed', turnsAt: 0 })
        })
      }
      await job.advance(job.progress)
      after = page.next
    } while (after)
  }
}

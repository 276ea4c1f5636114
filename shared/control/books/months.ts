/**
 * The hours of each tunnel by calendar month, for charts. They are made once a day from the day's rows: rows are
 * deleted after 40 days, and a year is read as twelve documents instead of thousands.
 */
import type { Control } from '../control.ts'
import type { JobKind, RunningJob } from '../jobs/jobs.ts'
import { type Change, changeAll } from '../piecewise.ts'
import type { Page, QueryOptions, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import { markOf } from '../stored-times.ts'
import {
  type UsageHourDoc,
  type UsageMonthDoc,
  type UsagePeriodDoc,
  usageMonths,
} from '../usage-documents.ts'
import { hourMs, monthStart } from './calendar.ts'
import { type Hours, isSameSeries, mergeHours, sumByHour } from './hours.ts'
import { eachRows } from './rows.ts'

const dayMs = 24 * hourMs
/** After the roll-up of the day's last hour. */
const afterMidnightMs = 100 * 60_000
const keepMs = 400 * dayMs

export function monthRef(tunnel: string, start: number) {
  return usageMonths.ref(`${tunnel}:${new Date(start).toISOString().slice(0, 7)}`)
}

/** Sums of whole hours: `rows` has all rows of an hour and tunnel. */
export async function addToMonths(control: Control, rows: readonly UsageHourDoc[]): Promise<void> {
  const byMonth = new Map<string, { tunnel: string; account: string; start: number; hours: Hours }>()
  for (const row of rows) {
    const { tunnel, account } = row
    const start = monthStart(row.hour, 0)
    const { id } = monthRef(tunnel, start)
    const known = byMonth.get(id) ?? { tunnel, account, start, hours: new Map() }
    byMonth.set(id, known)
    sumByHour([row], known.hours)
  }
  await changeAll(
    control.store,
    Array.from(byMonth, ([id, { hours, ...month }]): Change<UsageMonthDoc> => {
      const ttl = new Date(month.start + keepMs)
      return {
        ref: usageMonths.ref(id),
        next(current) {
          const series = mergeHours(current ?? { hours: '' }, month.start, hours)
          return isSameSeries(series, current) ? 'keep' : { ...month, ...series, ttl }
        },
      }
    }),
  )
}

/** Runs daily, for every account that carried something. */
export function fillMonths(control: Control): JobKind {
  const run = (job: RunningJob) => fill(control, job)
  return {
    name: 'usage.months',
    attemptsMax: Number.MAX_SAFE_INTEGER,
    everyMs: dayMs,
    waitsMs: dayMs + afterMidnightMs,
    run,
  }
}

async function fill(control: Control, job: RunningJob): Promise<void> {
  const nowMs = control.clock.now()
  const to = Math.floor((nowMs - afterMidnightMs) / dayMs) * dayMs
  for (const state of ['open', 'closing'] as const) {
    let after: QueryOptions['after']
    do {
      const options = { where: { state }, limit: 200, ...(after && { after }) }
      const page: Page<UsagePeriodDoc> = await control.store.query(queries.periodsByState, options)
      for (const period of page.items) {
        job.signal.throwIfAborted()
        await fillOne(control, period, to)
      }
      await job.advance({})
      after = page.next
    } while (after)
  }
  await job.pause({}, to + dayMs + afterMidnightMs)
}

async function fillOne(control: Control, { ref, data }: Snapshot<UsagePeriodDoc>, to: number): Promise<void> {
  const until = Math.min(to, data.end)
  const nowMs = control.clock.now()
  const from = markOf(data.monthsTo, { start: data.start, nowMs })
  // Nothing was counted since, so there is nothing to read.
  if (data.countedTo <= from || from >= until) return
  const rows = []
  for await (const page of eachRows(control, { account: data.account, from, to: until - 1 }))
    rows.push(...page)
  await addToMonths(control, rows)
  await control.store.change(ref, (current) =>
    current && markOf(current.monthsTo, { start: current.start, nowMs }) < until
      ? { ...current, monthsTo: until }
      : 'keep',
  )
}

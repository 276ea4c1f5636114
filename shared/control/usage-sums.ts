/**
 * Usage as people and programs ask for it. What is read follows from what is returned: minutes and the last day from
 * rows, hours of an account from its periods, of a tunnel from its months: a year of either is 14 documents.
 */
import { minuteShape } from '../api/schemas/relays.ts'
import type { UsageAnswer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import { unpackCounts } from '../base/packed-counts.ts'
import { hourMs, hourOf, monthStart } from './books/calendar.ts'
import { add, entryOf, type Hours, readHours, type Sum, sumByHour, zero } from './books/hours.ts'
import { monthRef } from './books/months.ts'
import { eachRows } from './books/rows.ts'
import type { Caller } from './caller.ts'
import type { AccountControl } from './control.ts'
import { tunnelNames } from './documents.ts'
import type { Page, QueryOptions } from './platform.ts'
import { queries } from './query-table.ts'
import type { UsageHourDoc, UsagePeriodDoc } from './usage-documents.ts'

const dayMs = 24 * hourMs
const minuteMs = 60_000
/** What a call may ask for. Rows are kept 40 days, periods and months 400. */
const spanMax = { rows: 31 * dayMs, minute: dayMs, hour: 93 * dayMs, day: 400 * dayMs } as const
const rowsMax = 20_000

type Step = keyof typeof stepMs
const stepMs = { minute: minuteMs, hour: hourMs, day: dayMs } as const

type Asked = {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly tunnel?: string | undefined
  readonly step?: Step | undefined
}
type Span = { readonly from: number; readonly to: number }

/** Sums of a span. @throws api.invalid for a span that is empty or too long for its step, api.too_large */
export async function readUsage(control: AccountControl, caller: Caller, asked: Asked): Promise<UsageAnswer> {
  const { step, tunnel } = asked
  const to = asked.to ?? control.clock.now()
  const from = asked.from ?? to - dayMs
  const longest = spanMax[step ?? 'rows']
  if (from > to || to - from > longest)
    throw fail(
      'api.invalid',
      `The span must begin before its end and be at most ${longest / dayMs} days long.`,
    )
  const reach = await idsInReach(control, caller)
  const isNothing = tunnel !== undefined && reach && !reach.has(tunnel)
  const span = { from, to }
  if (step === undefined || step === 'minute') {
    const rows = isNothing ? [] : await rowsOf(control, { ...span, tunnel, reach })
    return step === undefined ? sumsOf(rows, span) : { ...sumsOf(rows, span), series: minutesOf(rows, span) }
  }
  const only = tunnel === undefined ? reach && [...reach] : [tunnel]
  const hours = isNothing ? new Map() : await hoursOf(control, span, only)
  return inSteps(hours, span, step)
}

/** Of one account, or of the only tunnels of it that a bound key may ask about. */
async function rowsOf(
  control: AccountControl,
  {
    from,
    to,
    tunnel,
    reach,
  }: Span & { tunnel?: string | undefined; reach?: ReadonlySet<string> | undefined },
): Promise<readonly UsageHourDoc[]> {
  const { account } = control.store
  const asked = tunnel === undefined && reach ? [...reach] : [tunnel]
  const rows: UsageHourDoc[] = []
  for (const each of asked)
    for await (const page of eachRows(control, { account, tunnel: each, from, to })) {
      rows.push(...page)
      if (rows.length > rowsMax)
        throw fail('api.too_large', 'The span holds too much; ask for a shorter one.')
    }
  return rows
}

function sumsOf(rows: readonly UsageHourDoc[], span: Span): UsageAnswer {
  const byTunnel = new Map<string, Sum>()
  const total = zero()
  for (const row of rows) {
    add(total, row)
    add(entryOf(byTunnel, row.tunnel), row)
  }
  const hours = [...sumByHour(rows)].sort(([a], [b]) => a - b)
  return {
    ...span,
    total,
    hours: hours.map(([hour, counts]) => ({ hour, ...counts })),
    tunnels: [...byTunnel].map(([tunnel, counts]) => ({ tunnel, ...counts })),
  }
}

function minutesOf(rows: readonly UsageHourDoc[], { from, to }: Span): NonNullable<UsageAnswer['series']> {
  const minutes = new Map<number, Sum>()
  for (const { hour, minutes: packed = '' } of rows) {
    const figures = unpackCounts(packed, minuteShape) ?? []
    for (let at = 0; at < figures.length; at += minuteShape.width) {
      const [bytesIn = 0, out = 0, opened = 0] = figures.slice(at, at + minuteShape.width)
      if (bytesIn + out + opened === 0) continue
      const minute = hour + (at / minuteShape.width) * minuteMs
      if (minute + minuteMs <= from || minute > to) continue
      add(entryOf(minutes, minute), { in: bytesIn, out, opened, refused: 0 })
    }
  }
  return seriesOf(minutes)
}

/** @param only of these tunnels; absent: of the account */
async function hoursOf(
  control: AccountControl,
  span: Span,
  only: readonly string[] | undefined,
): Promise<Hours> {
  const hours = only ? await hoursOfTunnels(control, span, only) : await hoursOfAccount(control, span)
  for (const hour of hours.keys()) if (hour + hourMs <= span.from || hour > span.to) hours.delete(hour)
  return hours
}

/** Periods, and rows where they have not come to yet: an hour or two. */
async function hoursOfAccount(control: AccountControl, { from, to }: Span): Promise<Hours> {
  const { account } = control.store
  const hours: Hours = new Map()
  let countedTo = hourOf(from)
  for (const period of await periodsOf(control, { from, to })) {
    const { start, hours: packed, lateHours } = period
    for (const [hour, sum] of readHours(lateHours === '' ? packed : lateHours, start)) hours.set(hour, sum)
    countedTo = Math.max(countedTo, period.countedTo)
  }
  if (countedTo > to) return hours
  const rows: UsageHourDoc[] = []
  for await (const page of eachRows(control, { account, from: countedTo, to })) rows.push(...page)
  for (const [hour, sum] of sumByHour(rows)) hours.set(hour, sum)
  return hours
}

/** Months of each tunnel, and its rows of the days that are not in them yet. */
async function hoursOfTunnels(
  control: AccountControl,
  { from, to }: Span,
  tunnels: readonly string[],
): Promise<Hours> {
  const latest = (await periodsOf(control, { from: to, to })).at(-1)
  const monthsTo = Math.max(hourOf(from), latest?.monthsTo ?? 0)
  const starts: number[] = []
  for (let start = monthStart(from, 0); start <= to; start = monthStart(start, 1)) starts.push(start)
  const refs = tunnels.flatMap((tunnel) => starts.map((start) => monthRef(tunnel, start)))
  const hours: Hours = new Map()
  for (const found of await control.store.getAll(refs))
    for (const [hour, sum] of found ? readHours(found.data.hours, found.data.start) : [])
      if (hour < monthsTo) add(entryOf(hours, hour), sum)
  if (monthsTo > to) return hours
  for (const row of await rowsOf(control, { from: monthsTo, to, reach: new Set(tunnels) }))
    add(entryOf(hours, row.hour), row)
  return hours
}

/** Those of the span, oldest first, with the one that was running when it began. */
async function periodsOf(control: AccountControl, { from, to }: Span): Promise<readonly UsagePeriodDoc[]> {
  const where = { account: control.store.account }
  const periods: UsagePeriodDoc[] = []
  let after: QueryOptions['after']
  do {
    const limit = to - from > dayMs ? 14 : 1
    const options = { where, to, limit, ...(after && { after }) }
    const page: Page<UsagePeriodDoc> = await control.store.query(queries.periodsOfAccount, options)
    for (const { data } of page.items) {
      // Of a release up to 0.1, until it is carried over.
      if (data.state === undefined) continue
      if (data.end <= from && periods.length > 0) return periods.reverse()
      periods.push(data)
    }
    after = page.next
  } while (after && (periods.at(-1)?.start ?? from + 1) > from)
  return periods.reverse()
}

function inSteps(hours: Hours, span: Span, step: 'hour' | 'day'): UsageAnswer {
  const steps: Hours = new Map()
  const total = zero()
  for (const [hour, sum] of hours) {
    add(total, sum)
    add(entryOf(steps, hour - (hour % stepMs[step])), sum)
  }
  const series = seriesOf(steps)
  const listed = step === 'hour' ? series.map(({ at: hour, ...counts }) => ({ hour, ...counts })) : []
  return { ...span, total, hours: listed, tunnels: [], series }
}

function seriesOf(steps: Hours): NonNullable<UsageAnswer['series']> {
  return [...steps].sort(([a], [b]) => a - b).map(([at, counts]) => ({ at, ...counts }))
}

/** Ids of the only tunnels that a bound key may ask about; undefined: all. */
async function idsInReach(
  control: AccountControl,
  { account, tunnels }: Caller,
): Promise<ReadonlySet<string> | undefined> {
  if (!tunnels) return undefined
  const named = await control.store.getAll(
    Array.from(tunnels, (name) => tunnelNames.ref(`${account}:${name}`)),
  )
  return new Set(named.flatMap((found) => (found ? [found.data.tunnel] : [])))
}

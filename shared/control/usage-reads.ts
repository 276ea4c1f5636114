/** Where usage figures are read from: rows, periods of the account, months of its tunnels. */
import { fail } from '../base/errors.ts'
import { hourMs, hourOf, monthStart } from './books/calendar.ts'
import { addRow, addSum, entryOf, type Hours, readHours, sumByHour } from './books/hours.ts'
import { monthRef } from './books/months.ts'
import { eachRows, type UsageRow } from './books/rows.ts'
import type { AccountControl } from './control.ts'
import type { Page, QueryOptions } from './platform.ts'
import { queries } from './query-table.ts'
import { markOf } from './stored-times.ts'
import type { UsageHourDoc, UsageMonthDoc, UsagePeriodDoc } from './usage-documents.ts'

const dayMs = 24 * hourMs
/** Maximum of documents for one answer. */
const rowsMax = 20_000

export type Span = { readonly from: number; readonly to: number }

/** For one account, or for the only tunnels that a bound key may ask about. */
export async function rowsOf(
  control: AccountControl,
  {
    from,
    to,
    tunnel,
    reach,
  }: Span & { tunnel?: string | undefined; reach?: ReadonlySet<string> | undefined },
): Promise<readonly UsageRow[]> {
  const { account } = control.store
  const asked = tunnel === undefined && reach ? [...reach] : [tunnel]
  const rows: UsageRow[] = []
  for (const each of asked)
    for await (const page of eachRows(control, { account, tunnel: each, from, to })) {
      rows.push(...page)
      if (rows.length > rowsMax) throw tooLarge()
    }
  return rows
}

/** Periods, and rows for the hour or two that are not in them yet. */
export async function hoursOfAccount(control: AccountControl, { from, to }: Span): Promise<Hours> {
  const { account } = control.store
  const hours: Hours = new Map()
  const nowMs = control.clock.now()
  let countedTo = hourOf(from)
  for (const period of await periodsOf(control, { from, to })) {
    const { start, lateHours } = period
    const series = lateHours === '' ? period : { ...period, hours: lateHours }
    for (const [hour, sum] of readHours(series, start)) hours.set(hour, sum)
    countedTo = Math.max(countedTo, markOf(period.countedTo, { ...period, nowMs }))
  }
  if (countedTo > to) return hours
  const rows: UsageHourDoc[] = []
  for await (const page of eachRows(control, { account, from: countedTo, to })) rows.push(...page)
  for (const [hour, sum] of sumByHour(rows)) hours.set(hour, sum)
  return hours
}

/**
 * Sums of each tunnel and hour: months, and rows for the days that are not in them yet.
 * @param only these tunnels; undefined: all that the account had
 */
export async function tunnelHours(
  control: AccountControl,
  span: Span,
  only: readonly string[] | undefined,
): Promise<ReadonlyMap<string, Hours>> {
  const { from, to } = span
  const latest = (await periodsOf(control, { from: to, to })).at(-1)
  const nowMs = control.clock.now()
  const monthsTo = Math.max(hourOf(from), latest ? markOf(latest.monthsTo, { ...latest, nowMs }) : 0)
  const byTunnel = new Map<string, Hours>()
  const hoursAt = (tunnel: string): Hours => {
    const hours: Hours = byTunnel.get(tunnel) ?? new Map()
    byTunnel.set(tunnel, hours)
    return hours
  }
  // If rows cover the whole span, months are not needed.
  const months = monthsTo > hourOf(from) ? await monthsOf(control, span, only) : []
  for (const month of months)
    for (const [hour, sum] of readHours(month, month.start))
      if (hour < monthsTo && isInside(hour, span)) addSum(entryOf(hoursAt(month.tunnel), hour), sum)
  if (monthsTo > to) return byTunnel
  const reach = only && new Set(only)
  for (const row of await rowsOf(control, { from: monthsTo, to, reach }))
    if (isInside(row.hour, span)) addRow(entryOf(hoursAt(row.tunnel), row.hour), row)
  return byTunnel
}

async function monthsOf(
  control: AccountControl,
  { from, to }: Span,
  only: readonly string[] | undefined,
): Promise<readonly UsageMonthDoc[]> {
  const starts: number[] = []
  for (let start = monthStart(from, 0); start <= to; start = monthStart(start, 1)) starts.push(start)
  if (only) {
    const refs = only.flatMap((tunnel) => starts.map((start) => monthRef(tunnel, start)))
    return (await control.store.getAll(refs)).flatMap((found) => (found ? [found.data] : []))
  }
  const months: UsageMonthDoc[] = []
  for (const start of starts) {
    const where = { account: control.store.account, start }
    let after: QueryOptions['after']
    do {
      const options = { where, limit: 500, ...(after && { after }) }
      const page: Page<UsageMonthDoc> = await control.store.query(queries.monthsOfAccount, options)
      months.push(...page.items.map(({ data }) => data))
      if (months.length > rowsMax) throw tooLarge()
      after = page.next
    } while (after)
  }
  return months
}

/** Whether the span touches the hour. */
export function isInside(hour: number, { from, to }: Span): boolean {
  return hour + hourMs > from && hour <= to
}

function tooLarge() {
  return fail('api.too_large', 'The span holds too much; ask for a shorter one.')
}

/** The periods in the span, oldest first, with the one that was running when it began. */
async function periodsOf(control: AccountControl, { from, to }: Span): Promise<readonly UsagePeriodDoc[]> {
  const where = { account: control.store.account }
  const periods: UsagePeriodDoc[] = []
  let after: QueryOptions['after']
  do {
    const limit = to - from > dayMs ? 14 : 1
    const options = { where, to, limit, ...(after && { after }) }
    const page: Page<UsagePeriodDoc> = await control.store.query(queries.periodsOfAccount, options)
    for (const { data } of page.items) {
      // From a release up to 0.1, until it is converted.
      if (data.state === undefined) continue
      if (data.end <= from && periods.length > 0) return periods.reverse()
      periods.push(data)
    }
    after = page.next
  } while (after && (periods.at(-1)?.start ?? from + 1) > from)
  return periods.reverse()
}

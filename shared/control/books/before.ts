/**
 * Turns months as releases up to 0.1 kept them (`usagePeriods/<account>:<YYYY-MM>`, both directions of an hour as one
 * figure) into periods. While such a release still runs beside this one it writes its month again, and we convert it
 * again.
 */
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import type { Page, Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import type { Counts } from '../usage.ts'
import { type MonthOfBeforeDoc, monthsOfBefore, type UsagePeriodDoc } from '../usage-documents.ts'
import { hourMs, hourOf, monthStart } from './calendar.ts'
import { bytesOf, mergeHours } from './hours.ts'
import { closingMs, newPeriod, periodRef } from './periods.ts'

/** The month before this one is counted again from its rows, which takes a roll-up. */
const recountMs = 12 * hourMs

export async function carryOver(control: Control): Promise<void> {
  for (;;) {
    const page: Page<MonthOfBeforeDoc> = await control.store.query(queries.monthsOfBefore, {
      where: {},
      limit: 100,
    })
    for (const month of page.items) await carryOne(control, month)
    if (!page.next) return
  }
}

async function carryOne(control: Control, { ref, data, version }: Snapshot<MonthOfBeforeDoc>): Promise<void> {
  const { account, start } = data
  const target = periodRef(account, start)
  await control.store.transact(async (tx) => {
    const [latest, current] = [await tx.get(monthsOfBefore.ref(ref.id)), await tx.get(target)]
    const owner = await tx.get(accounts.ref(account))
    // It was counted again meanwhile: leave it to the next round.
    if (latest?.version !== version) return
    const begin = hourOf(owner?.data.periodAnchor ?? Number.POSITIVE_INFINITY)
    const month = withoutOwnPeriods(data, begin)
    const next = current?.data ?? periodOf(control, data, begin)
    const isWanted = month.bytes > 0 && (next.state !== 'closed' || !current)
    if (isWanted) tx.set(target, withMonth(next, month))
    tx.delete(monthsOfBefore.ref(ref.id))
  })
}

/**
 * Such a release has no anchor. From the anchor on, hours are counted from their rows, in the account's own periods.
 */
function withoutOwnPeriods(month: MonthOfBeforeDoc, begin: number): MonthOfBeforeDoc {
  const hours = Object.fromEntries(Object.entries(month.hours).filter(([hour]) => Number(hour) < begin))
  const bytes = Object.values(hours).reduce((sum, count) => sum + count, 0)
  return bytes === month.bytes ? month : { ...month, hours, bytes }
}

/** @param begin of the account's own periods, which follow it */
function periodOf(
  { clock }: Control,
  { account, start, openFrom }: MonthOfBeforeDoc,
  begin: number,
): UsagePeriodDoc {
  const nowMs = clock.now()
  const end = begin > start ? Math.min(begin, monthStart(start, 1)) : monthStart(start, 1)
  const fresh = { ...newPeriod(undefined, { account, start, end }), countedTo: Math.min(openFrom, end) }
  if (end > nowMs) return fresh
  if (start < monthStart(nowMs, -1)) return { ...fresh, state: 'closed', turnsAt: 0 }
  return { ...fresh, state: 'closing', turnsAt: Math.max(end + closingMs, nowMs + recountMs) }
}

function withMonth(period: UsagePeriodDoc, { hours, warned, start }: MonthOfBeforeDoc): UsagePeriodDoc {
  const sums = new Map<number, Counts>(
    Object.entries(hours).map(([hour, out]) => [Number(hour), { in: 0, out, opened: 0, refused: 0 }]),
  )
  const series = mergeHours(period, start, sums)
  return { ...period, ...series, bytes: bytesOf(series.hours), warned: Math.max(period.warned, warned) }
}

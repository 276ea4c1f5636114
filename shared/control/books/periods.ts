/**
 * Periods of usage, for bookkeeping. Each has a start and an end, takes usage until 48 h after its end, and then is
 * final. Later usage becomes a correction in the open period, so a bill that was sent never changes.
 * docs/decisions/0048
 */
import { fail } from '../../base/errors.ts'
import { lookToAlertOfTransfer } from '../alerts/payments.ts'
import { writeAudit } from '../audit.ts'
import { everyCell, makeCommand, type Outgoing, publishCommands, writeCommand } from '../commands.ts'
import type { AnyControl, Control } from '../control.ts'
import { type AccountDoc, accounts } from '../documents.ts'
import { limitsOf } from '../plans.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { isAhead, markOf } from '../stored-times.ts'
import { type UsagePeriodDoc, usagePeriods } from '../usage-documents.ts'
import { hourMs, hourOf, spanAround } from './calendar.ts'
import { bytesOf, isSameSeries, mergeHours, type Sum } from './hours.ts'
import { isSameResults } from './results.ts'

/** From a period's end until it is final: usage of relays that were cut off for two days still counts. */
export const closingMs = 48 * hourMs
/** Kept for the customer to see, and for disputes about a bill. */
const keepMs = 400 * 24 * hourMs
/** Others may change what is counted into, a few times. */
const raceTriesMax = 20
const warnings = [100, 90, 80] as const

type Period = Snapshot<UsagePeriodDoc> & {
  /**
   * For a period that is not stored yet: one that a clock that was ahead closed too early; it ends where this begins.
   */
  readonly cuts?: Snapshot<UsagePeriodDoc>
}
type GivenHours = ReadonlyMap<number, Sum>

/** The period that is open now; undefined when nothing was counted since the last one ended. */
export async function openPeriod(control: AnyControl, account: string): Promise<Period | undefined> {
  const nowMs = control.clock.now()
  const { items } = await control.store.query(queries.periodsByAccountAndState, {
    where: { account, state: 'open' },
    to: nowMs,
    limit: 1,
  })
  return items.find(({ data }) => data.end > nowMs)
}

/**
 * Adds sums of hours to their periods. Doing it again, or with older sums, changes nothing.
 * @param countedTo all hours before it are complete with these sums, as far as relays have reported
 */
export async function countHours(
  control: Control,
  { account, hours, countedTo = 0 }: { account: string; hours: GivenHours; countedTo?: number },
): Promise<void> {
  const left = new Map([...hours].sort(([a], [b]) => a - b))
  for (let tries = 0; left.size > 0; tries++) {
    if (tries > hours.size + raceTriesMax) throw fail('store.contention')
    const [first = 0] = left.keys()
    const period = await periodAround(control, account, first)
    const nowMs = control.clock.now()
    const end = isClosedEarly(period.data, nowMs) ? hourOf(nowMs) : period.data.end
    const inside = new Map([...left].filter(([hour]) => hour < end))
    const isDone =
      period.data.state === 'closed'
        ? await correct(control, period, inside)
        : await count(control, period, { hours: inside, countedTo })
    // Another worker ended or closed the period meanwhile: look again.
    if (isDone) for (const hour of inside.keys()) left.delete(hour)
  }
}

/** The period as it is stored, or as it will be once something is counted in it. */
async function periodAround(control: Control, account: string, hour: number): Promise<Period> {
  const { items } = await control.store.query(queries.periodsOfAccount, {
    where: { account },
    to: hour,
    limit: 4,
  })
  // Releases up to 0.1 kept a different document with the same start.
  const [before] = items.filter(({ data }) => data.state !== undefined)
  const nowMs = control.clock.now()
  const isCut = before && isClosedEarly(before.data, nowMs) && hour >= hourOf(nowMs)
  if (before && before.data.end > hour && !isCut) return before
  const owner = await control.store.get(accounts.ref(account))
  const span = spanAround(hour, owner?.data.periodAnchor)
  const start = isCut ? hourOf(nowMs) : Math.max(span.start, before?.data.end ?? 0)
  const end = isCut ? before.data.end : span.end
  return {
    ref: periodRef(account, start),
    version: '',
    data: newPeriod(owner?.data, { account, start, end, monthsTo: monthsToOf(before, nowMs) }),
    ...(isCut && { cuts: before }),
  }
}

/** What was closed stays closed: the rest of its time is a period of its own, as after a change of plan. */
function isClosedEarly({ state, end }: UsagePeriodDoc, nowMs: number): boolean {
  return state === 'closed' && isAhead(end, { nowMs, lastsMs: 0 })
}

function monthsToOf(before: Period | undefined, nowMs: number): number | undefined {
  return before && markOf(before.data.monthsTo, { start: before.data.start, nowMs })
}

/** Within `tx`, what `periodAround` has found or made. @returns undefined when somebody was faster */
async function lookToWrite(
  tx: Transaction,
  { ref, data, cuts }: Period,
): Promise<{ readonly current: UsagePeriodDoc; write(next: UsagePeriodDoc): void } | undefined> {
  const current = (await tx.get(ref))?.data
  const before = cuts && !current ? await tx.get(cuts.ref) : undefined
  if (cuts && !current && before?.version !== cuts.version) return undefined
  return {
    current: current ?? data,
    write(next) {
      if (before) tx.set(before.ref, { ...before.data, end: data.start })
      tx.set(ref, next)
    },
  }
}

export function periodRef(account: string, start: number) {
  return usagePeriods.ref(`${account}:${start}`)
}

export function newPeriod(
  owner: AccountDoc | undefined,
  {
    account,
    start,
    end,
    monthsTo = start,
  }: { account: string; start: number; end: number; monthsTo?: number | undefined },
): UsagePeriodDoc {
  return {
    account,
    start,
    end,
    state: 'open',
    turnsAt: end,
    plan: owner?.plan ?? '',
    hours: '',
    answers: '',
    bytes: 0,
    countedTo: start,
    monthsTo,
    corrections: 0,
    lateHours: '',
    corrected: 0,
    warned: 0,
    ttl: new Date(end + keepMs),
  }
}

async function count(
  control: Control,
  period: Period,
  { hours, countedTo }: { hours: GivenHours; countedTo: number },
): Promise<boolean> {
  const nowMs = control.clock.now()
  const { account } = period.data
  let isDone = false
  const outgoing = await control.store.transact(async (tx): Promise<readonly Outgoing[]> => {
    const found = await lookToWrite(tx, period)
    if (!found) return []
    const { current } = found
    const owner = (await tx.get(accounts.ref(account)))?.data
    isDone = current.state !== 'closed' && [...hours.keys()].every((hour) => hour < current.end)
    if (!isDone) return []
    const series = mergeHours(current, current.start, hours)
    const next = atNewPlan(owner, nowMs, {
      ...current,
      ...series,
      bytes: bytesOf(series.hours),
      countedTo: Math.min(current.end, Math.max(markOf(current.countedTo, { ...current, nowMs }), countedTo)),
    })
    const warned = warningOf(owner, next)
    if (isSame({ ...next, warned }, current)) return []
    const isNews = warned > current.warned && current.state === 'open'
    const alert = await lookToAlertOfTransfer(tx, {
      account,
      percent: isNews ? warned : 0,
      isNew: current.hours === '' && next.hours !== '',
      nowMs,
    })
    alert()
    found.write({ ...next, warned })
    return isNews ? warn(tx, { ...next, warned }, nowMs) : []
  })
  await publishCommands(control, outgoing)
  return isDone
}

/** A new plan begins a new period at the next full hour. */
function atNewPlan(owner: AccountDoc | undefined, nowMs: number, period: UsagePeriodDoc): UsagePeriodDoc {
  if (!owner || owner.plan === period.plan || period.state !== 'open') return period
  if (period.plan === '') return { ...period, plan: owner.plan }
  const end = Math.min(period.end, hourOf(nowMs) + hourMs)
  return { ...period, end, turnsAt: end }
}

function isSame(a: UsagePeriodDoc, b: UsagePeriodDoc): boolean {
  return isSameSeries(a, b) && a.countedTo === b.countedTo && a.end === b.end && a.warned === b.warned
}

function warningOf(owner: AccountDoc | undefined, { bytes, warned }: UsagePeriodDoc): number {
  if (!owner) return warned
  const percent = percentOf(bytes, limitsOf(owner).transferBytesMonth)
  return Math.max(warned, warnings.find((warning) => percent >= warning) ?? 0)
}

export function percentOf(bytes: number, limitBytes: number): number {
  return Math.floor((bytes / Math.max(1, limitBytes)) * 100)
}

function warn(
  tx: Transaction,
  { account, start, warned }: UsagePeriodDoc,
  nowMs: number,
): readonly Outgoing[] {
  const version = start + warned
  const command = makeCommand(everyCell, { kind: 'transfer', account, percent: warned, version }, nowMs)
  writeCommand(tx, command)
  const entry = { account, actor: 'system', from: '', target: account }
  writeAudit(tx, { ...entry, action: 'transfer.warned', details: { percent: warned } }, nowMs)
  return [command]
}

/** corrections = what its hours come to now - what was closed - what was corrected before; in the period of now. */
async function correct(control: Control, closed: Period, hours: GivenHours): Promise<boolean> {
  const nowMs = control.clock.now()
  const open = await periodAround(control, closed.data.account, hourOf(nowMs))
  if (open.data.state === 'closed') return false
  let isDone = false
  await control.store.transact(async (tx) => {
    const then = await tx.get(closed.ref)
    const found = await lookToWrite(tx, open)
    const now = found?.current
    isDone = then !== undefined && now !== undefined && now.state !== 'closed'
    if (!then || !found || !now || !isDone) return
    const { data } = then
    const known = { ...data, hours: data.lateHours === '' ? data.hours : data.lateHours }
    const { hours: lateHours, ...results } = mergeHours(known, data.start, hours)
    const more = Math.max(0, bytesOf(lateHours) - data.bytes - data.corrected)
    if (more === 0 && isSameResults(results, data)) return
    const late = more > 0 ? { lateHours, corrected: data.corrected + more } : {}
    const corrected = { ...now, corrections: now.corrections + more }
    // It is this very one that the open period cuts: one document is written once.
    const isCut = more > 0 && open.cuts?.ref.id === closed.ref.id
    if (isCut) tx.set(open.ref, corrected)
    else if (more > 0) found.write(corrected)
    tx.set(closed.ref, { ...data, ...results, ...late, ...(isCut && { end: open.data.start }) })
  })
  return isDone
}

/**
 * The transfer that a plan includes a month (UTC). What was carried is rolled up when somebody needs it: a claim, a
 * renewal, the console. Warnings come at 80, 90 and 100 %; from 100 % on no further tunnel is leased, and after a grace
 * of a tenth of the plan relays refuse new connections. Nothing that is open is ever cut.
 */
import type { Transfer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import { writeAudit } from './audit.ts'
import type { Caller } from './caller.ts'
import { everyCell, makeCommand, type Outgoing, publishCommands, writeCommand } from './commands.ts'
import type { AnyControl } from './control.ts'
import { online, type UsageHourDoc, type UsagePeriodDoc, usagePeriods } from './documents.ts'
import { boundless } from './plans.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from './platform.ts'
import { queries } from './query-table.ts'

const hourMs = 3_600_000
/** Figures this old are good enough: relays report a running hour every 15 min, or after 64 MiB. */
const freshMs = 5 * 60_000
const keepMs = 400 * 24 * hourMs
/** Beyond 100 %, visitors are let in for so much of the plan more. */
const graceShare = 0.1
const warnings = [100, 90, 80] as const
/** Of one roll-up. An account that has more waiting is rolled up in several. */
const pagesMax = 20

type Period = { readonly id: string; readonly start: number; readonly end: number }

/** @returns undefined where the plan sets no limit */
export async function readTransfer(
  control: AnyControl,
  { account, limits }: Pick<Caller, 'account' | 'limits'>,
): Promise<Transfer | undefined> {
  const limitBytes = limits.transferBytesMonth
  if (limitBytes >= boundless) return undefined
  const nowMs = control.clock.now()
  const period = periodOf(account, nowMs)
  const known = await control.store.get(usagePeriods.ref(period.id))
  const isFresh = known !== undefined && nowMs - known.data.rolledAt < freshMs
  const { bytes, rolledAt } = isFresh
    ? known.data
    : await rollUp(control, { account, limitBytes, period, known })
  const { start: from, end: to } = period
  const percent = percentOf(bytes, limitBytes)
  return {
    from,
    to,
    usedBytes: bytes,
    limitBytes,
    percent,
    state: stateOf(bytes, limitBytes),
    countedAt: rolledAt,
  }
}

export type TransferShare = { readonly shareBytes?: number }

/** What one of so many relays may carry for the account until the ticket ends; for tickets. */
export function shareOf(transfer: Transfer | undefined, relays: number): TransferShare {
  if (transfer === undefined) return {}
  const left = transfer.limitBytes * (1 + graceShare) - transfer.usedBytes
  return { shareBytes: Math.max(0, Math.floor(left / Math.max(1, relays))) }
}

/**
 * What a claim asks for each of its tunnels: `quota.transfer` is thrown for one that is not online when the month is
 * used up. What is online stays.
 */
export async function transferGate(
  control: AnyControl,
  { account, plan }: Pick<Caller, 'account' | 'plan'>,
  transfer: Transfer | undefined,
): Promise<(tunnel: string) => void> {
  if (transfer === undefined || transfer.usedBytes < transfer.limitBytes) return () => {}
  const { usedBytes, limitBytes } = transfer
  const running = (await control.store.get(online.ref(account)))?.data.tunnels ?? {}
  const detail = `${usedBytes} of the ${limitBytes} bytes of the plan "${plan}" were carried this month.`
  return (tunnel) => {
    if (running[tunnel] === undefined) throw fail('quota.transfer', detail)
  }
}

/**
 * Usage that is stored by now came for an hour that a roll-up may count as complete: the next one goes back to it.
 * Written even if the hour is open: a roll-up that has looked already and is about to close it must see a change.
 */
export async function reopenHours(control: AnyControl, account: string, hour: number): Promise<void> {
  const { id } = periodOf(account, hour)
  await control.store.change(usagePeriods.ref(id), (current) =>
    current ? { ...current, openFrom: Math.min(current.openFrom, hour), rolledAt: 0 } : 'keep',
  )
}

function percentOf(bytes: number, limitBytes: number): number {
  return Math.floor((bytes / Math.max(1, limitBytes)) * 100)
}

function stateOf(bytes: number, limitBytes: number): Transfer['state'] {
  if (bytes >= limitBytes * (1 + graceShare)) return 'stopped'
  if (bytes >= limitBytes) return 'over'
  return percentOf(bytes, limitBytes) >= 80 ? 'near' : 'ok'
}

function periodOf(account: string, ms: number): Period {
  const date = new Date(ms)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const id = `${account}:${date.toISOString().slice(0, 7)}`
  return { id, start: Date.UTC(year, month), end: Date.UTC(year, month + 1) }
}

type RollUp = {
  readonly account: string
  readonly limitBytes: number
  readonly period: Period
  readonly known: Snapshot<UsagePeriodDoc> | undefined
}

/**
 * Sums the hours that are not complete yet and puts the sums in the place of the old ones. They are kept only if
 * nothing has changed since `known` was read, before the rows were: then no late report and no newer roll-up came
 * between. Otherwise they are good for this answer alone.
 */
async function rollUp(control: AnyControl, order: RollUp): Promise<UsagePeriodDoc> {
  const { account, limitBytes, period, known } = order
  const nowMs = control.clock.now()
  const before = known?.data
  const from = before?.openFrom ?? period.start
  const { sums, until } = await sumHours(control, { account, from, to: period.end - 1 })
  const isAll = until === period.end
  // Most accounts carry nothing for hours: not a write for each of their renewals. A day later the span is cut.
  const isSame = before && isAll && [...sums].every(([hour, bytes]) => before.hours[hour] === bytes)
  if (isSame && from > nowMs - 24 * hourMs) return { ...before, rolledAt: nowMs }
  const complete = Object.entries(before?.hours ?? {}).filter(
    ([hour]) => Number(hour) < from || Number(hour) >= until,
  )
  const hours = Object.fromEntries([...complete, ...sums])
  const bytes = Object.values(hours).reduce((sum, each) => sum + each, 0)
  const percent = warnings.find((warning) => percentOf(bytes, limitBytes) >= warning) ?? 0
  const warned = Math.max(percent, before?.warned ?? 0)
  // The running hour and the one before it: their last figures are still on the way. Others say so when they come,
  // and have nowhere to say it before the first roll-up, which therefore closes none.
  const recent = nowMs - (nowMs % hourMs) - hourMs
  const openFrom = before ? Math.min(Math.max(recent, period.start), until) : period.start
  const ttl = new Date(period.start + keepMs)
  const next = { account, start: period.start, hours, bytes, warned, rolledAt: nowMs, openFrom, ttl }
  await keep(control, order, next)
  return next
}

async function keep(control: AnyControl, { period, known }: RollUp, next: UsagePeriodDoc): Promise<void> {
  const ref = usagePeriods.ref(period.id)
  const { account, warned, rolledAt } = next
  const outgoing = await control.store.transact(async (tx) => {
    if ((await tx.get(ref))?.version !== known?.version) return []
    tx.set(ref, next)
    if (warned <= (known?.data.warned ?? 0)) return []
    return warn(tx, { account, percent: warned, period, nowMs: rolledAt })
  })
  await publishCommands(control, outgoing)
}

function warn(
  tx: Transaction,
  { account, percent, period, nowMs }: { account: string; percent: number; period: Period; nowMs: number },
): readonly Outgoing[] {
  const version = period.start + percent
  const command = makeCommand(everyCell, { kind: 'transfer', account, percent, version }, nowMs)
  writeCommand(tx, command)
  const entry = { account, actor: 'system', from: '', target: account }
  writeAudit(tx, { ...entry, action: 'transfer.warned', details: { percent } }, nowMs)
  return [command]
}

/** @returns sums by hour, complete up to `until` */
async function sumHours(
  control: AnyControl,
  { account, from, to }: { account: string; from: number; to: number },
): Promise<{ sums: ReadonlyMap<string, number>; until: number }> {
  const sums = new Map<string, number>()
  let after: QueryOptions['after']
  let last = from
  for (let pages = 0; pages < pagesMax; pages++) {
    const options = { where: { account }, from, to, limit: 500, ...(after && { after }) }
    const page: Page<UsageHourDoc> = await control.store.query(queries.usageOfAccount, options)
    for (const { data } of page.items) {
      sums.set(`${data.hour}`, (sums.get(`${data.hour}`) ?? 0) + data.in + data.out)
      last = data.hour
    }
    after = page.next
    if (!after) return { sums, until: to + 1 }
  }
  // The last hour may go on behind the last page.
  sums.delete(`${last}`)
  return { sums, until: last }
}

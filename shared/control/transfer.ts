/**
 * The transfer that a plan includes for each period. It is read from the open period as the hourly roll-up left it, in
 * whole hours up to `countedAt`; relays subtract what they have carried since. Warnings come at 80, 90 and 100 %. From
 * 100 % on no further tunnel is leased, and after a grace of a tenth of the plan relays refuse new connections. Open
 * connections are never cut.
 */
import type { Transfer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import { monthStart, spanAround } from './books/calendar.ts'
import { readHours } from './books/hours.ts'
import { openPeriod, percentOf } from './books/periods.ts'
import { eachRows } from './books/rows.ts'
import type { Caller } from './caller.ts'
import type { AnyControl } from './control.ts'
import { endpoints, type TunnelDoc } from './documents.ts'
import { boundless } from './plans.ts'
import type { Snapshot } from './platform.ts'
import { markOf } from './stored-times.ts'
import { monthsOfBefore, type UsagePeriodDoc } from './usage-documents.ts'

/** Beyond 100 %, visitors are admitted until this share of the plan more is used. */
const graceShare = 0.1

type Used = {
  readonly from: number
  readonly to: number
  readonly usedBytes: number
  readonly countedAt: number
  /** How many of `usedBytes` are of hours from `countedAt` on, which relays and rows tell of as well. */
  readonly lateBytes: number
}
/** Without the hours that are not counted yet, but for late ones. */
export type CountedTransfer = Transfer & Pick<Used, 'lateBytes'>
type Who = Pick<Caller, 'account' | 'limits' | 'periodAnchor'>

/** Costs one read. @returns undefined when the plan sets no limit */
export async function readTransfer(control: AnyControl, who: Who): Promise<CountedTransfer | undefined> {
  const limitBytes = who.limits.transferBytesMonth
  if (limitBytes >= boundless) return undefined
  const used = await usedOf(control, who)
  return { ...describe(used, limitBytes), lateBytes: used.lateBytes }
}

/** Includes hours that are not counted yet; for people. */
export async function readTransferNow(control: AnyControl, who: Who): Promise<Transfer | undefined> {
  const { account, limits } = who
  const limitBytes = limits.transferBytesMonth
  if (limitBytes >= boundless) return undefined
  const used = await usedOf(control, who)
  const nowMs = control.clock.now()
  let usedBytes = used.usedBytes - used.lateBytes
  for await (const page of eachRows(control, { account, from: used.countedAt, to: nowMs }))
    for (const row of page) usedBytes += row.in + row.out
  return describe({ ...used, usedBytes, countedAt: nowMs }, limitBytes)
}

async function usedOf(control: AnyControl, { account, periodAnchor }: Who): Promise<Used> {
  const open = await openPeriod(control, account)
  const nowMs = control.clock.now()
  if (open) {
    const { start: from, end: to, bytes: usedBytes, countedTo } = open.data
    const countedAt = markOf(countedTo, { start: from, nowMs })
    return { from, to, usedBytes, countedAt, lateBytes: bytesFrom(open.data, countedTo) }
  }
  const { start, end } = spanAround(nowMs, periodAnchor)
  const id = `${account}:${new Date(monthStart(nowMs, 0)).toISOString().slice(0, 7)}`
  const before = (await control.store.get(monthsOfBefore.ref(id)))?.data
  return {
    from: start,
    to: end,
    usedBytes: before?.bytes ?? 0,
    countedAt: before?.openFrom ?? start,
    lateBytes: 0,
  }
}

/** Usage that came late is counted at once, also of hours after `countedTo`. */
function bytesFrom({ hours, start }: UsagePeriodDoc, countedTo: number): number {
  let bytes = 0
  for (const [hour, sum] of readHours({ hours }, start)) if (hour >= countedTo) bytes += sum.in + sum.out
  return bytes
}

function describe({ from, to, usedBytes, countedAt }: Omit<Used, 'lateBytes'>, limitBytes: number): Transfer {
  const [percent, state] = [percentOf(usedBytes, limitBytes), stateOf(usedBytes, limitBytes)]
  return { from, to, usedBytes, limitBytes, percent, state, countedAt }
}

export type TransferShare = {
  readonly shareBytes?: number
  readonly shareFrom?: number
  readonly shareOf?: string
}

/** For tickets: what each of `relays` relays may carry for the account from `shareFrom` on, until its next ticket. */
export function shareOf(transfer: CountedTransfer | undefined, relays: number): TransferShare {
  if (transfer === undefined) return {}
  const left = transfer.limitBytes * (1 + graceShare) - (transfer.usedBytes - transfer.lateBytes)
  return {
    shareBytes: Math.max(0, Math.floor(left / Math.max(1, relays))),
    shareFrom: transfer.countedAt,
    shareOf: `${transfer.from}:${transfer.limitBytes}`,
  }
}

/**
 * The check that a claim runs for each of its tunnels: it throws `quota.transfer` for one that is not online when the
 * month is used up. Online tunnels stay.
 */
export function transferGate(
  control: AnyControl,
  { plan }: Pick<Caller, 'plan'>,
  transfer: Transfer | undefined,
): (tunnel: Snapshot<TunnelDoc>) => Promise<void> {
  if (transfer === undefined || transfer.usedBytes < transfer.limitBytes) return async () => {}
  const { usedBytes, limitBytes } = transfer
  const detail = `${usedBytes} of the ${limitBytes} bytes of the plan "${plan}" were carried this month.`
  return async ({ ref, data: { endpoint } }) => {
    const held = endpoint === '' ? undefined : await control.store.get(endpoints.ref(endpoint))
    if (held?.data.state !== 'leased' || held.data.tunnel !== ref.id) throw fail('quota.transfer', detail)
  }
}

function stateOf(bytes: number, limitBytes: number): Transfer['state'] {
  if (bytes >= limitBytes * (1 + graceShare)) return 'stopped'
  if (bytes >= limitBytes) return 'over'
  return percentOf(bytes, limitBytes) >= 80 ? 'near' : 'ok'
}

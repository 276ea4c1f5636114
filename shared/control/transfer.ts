/**
 * The transfer that a plan includes for each period. It is read from the open period as the hourly roll-up left it, in
 * whole hours up to `countedAt`; relays subtract what they have carried since. Warnings come at 80, 90 and 100 %. From
 * 100 % on no further tunnel is leased, and after a grace of a tenth of the plan relays refuse new connections. Open
 * connections are never cut.
 */
import type { Transfer } from '../api/schemas/service.ts'
import { fail } from '../base/errors.ts'
import { monthStart, spanAround } from './books/calendar.ts'
import { openPeriod, percentOf } from './books/periods.ts'
import { eachRows } from './books/rows.ts'
import type { Caller } from './caller.ts'
import type { AnyControl } from './control.ts'
import { endpoints, type TunnelDoc } from './documents.ts'
import { boundless } from './plans.ts'
import type { Snapshot } from './platform.ts'
import { markOf } from './stored-times.ts'
import { monthsOfBefore } from './usage-documents.ts'

/** Beyond 100 %, visitors are admitted until this share of the plan more is used. */
const graceShare = 0.1

type Used = {
  readonly from: number
  readonly to: number
  readonly usedBytes: number
  readonly countedAt: number
}
type Who = Pick<Caller, 'account' | 'limits' | 'periodAnchor'>

/** Costs one read. @returns undefined when the plan sets no limit */
export async function readTransfer(control: AnyControl, who: Who): Promise<Transfer | undefined> {
  const limitBytes = who.limits.transferBytesMonth
  if (limitBytes >= boundless) return undefined
  return describe(await usedOf(control, who), limitBytes)
}

/** Includes hours that are not counted yet; for people. */
export async function readTransferNow(control: AnyControl, who: Who): Promise<Transfer | undefined> {
  const { account, limits } = who
  const limitBytes = limits.transferBytesMonth
  if (limitBytes >= boundless) return undefined
  const used = await usedOf(control, who)
  const nowMs = control.clock.now()
  let { usedBytes } = used
  for await (const page of eachRows(control, { account, from: used.countedAt, to: nowMs }))
    for (const row of page) usedBytes += row.in + row.out
  return describe({ ...used, usedBytes, countedAt: nowMs }, limitBytes)
}

async function usedOf(control: AnyControl, { account, periodAnchor }: Who): Promise<Used> {
  const open = await openPeriod(control, account)
  const nowMs = control.clock.now()
  if (open) {
    const { start: from, end: to, bytes: usedBytes, countedTo } = open.data
    return { from, to, usedBytes, countedAt: markOf(countedTo, { start: from, nowMs }) }
  }
  const { start, end } = spanAround(nowMs, periodAnchor)
  const id = `${account}:${new Date(monthStart(nowMs, 0)).toISOString().slice(0, 7)}`
  const before = (await control.store.get(monthsOfBefore.ref(id)))?.data
  return { from: start, to: end, usedBytes: before?.bytes ?? 0, countedAt: before?.openFrom ?? start }
}

function describe({ from, to, usedBytes, countedAt }: Used, limitBytes: number): Transfer {
  const [percent, state] = [percentOf(usedBytes, limitBytes), stateOf(usedBytes, limitBytes)]
  return { from, to, usedBytes, limitBytes, percent, state, countedAt }
}

export type TransferShare = {
  readonly shareBytes?: number
  readonly shareFrom?: number
  readonly shareOf?: string
}

/** For tickets: what each of `relays` relays may carry for the account from `shareFrom` on, until its next ticket. */
export function shareOf(transfer: Transfer | undefined, relays: number): TransferShare {
  if (transfer === undefined) return {}
  const left = transfer.limitBytes * (1 + graceShare) - transfer.usedBytes
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

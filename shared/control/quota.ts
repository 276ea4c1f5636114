/**
 * What an account has, as its limits count it: one document, written in the transaction of whatever it counts, so that
 * concurrent requests cannot pass a limit. Leases count, not presence: going away and coming back changes nothing. The
 * same document paces how fast an account takes new addresses.
 */
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { AnyControl } from './control.ts'
import { look } from './jobs/jobs.ts'
import { kick } from './jobs/kick.ts'
import type { Snapshot, Transaction } from './platform.ts'
import { type QuotaDoc, quotas } from './quota-documents.ts'
import { isAhead, isStillOn } from './stored-times.ts'

export type Quota = Snapshot<QuotaDoc>
type Count = 'tunnels' | 'online' | 'keys' | 'members' | 'reservedHosts' | 'reservedPorts' | 'domains'
export type QuotaChange = {
  readonly [count in Count]?: number
} & { readonly paceAt?: number }

/** A released address rests as long as its last ticket could bind it. */
const restMs = limits.ticketMs + limits.skewMs
/** A refusal has the counts checked again, but not more often than this. */
const repairMs = 3_600_000

export function freshQuota(account: string, nowMs: number): QuotaDoc {
  return { account, tunnels: 0, online: 0, keys: 0, members: 0, paceAt: 0, countedAt: nowMs }
}

/** Thrown before something is added to an account that was never counted (counting.ts). */
export class Uncounted extends Error {
  readonly account: string

  constructor(account: string) {
    super(`the account ${account} was never counted`)
    this.account = account
  }
}

/** For changes that add to a count. @throws Uncounted, before anything is written */
export async function readQuota(tx: Transaction, account: string): Promise<Quota> {
  const quota = await tx.get(quotas.ref(account))
  if (!quota) throw new Uncounted(account)
  return quota
}

export function writeQuota(tx: Transaction, { ref, data }: Quota, change: QuotaChange): void {
  const sum = (count: Count) => Math.max(0, (data[count] ?? 0) + (change[count] ?? 0))
  const counts = {
    tunnels: sum('tunnels'),
    online: sum('online'),
    keys: sum('keys'),
    members: sum('members'),
    reservedHosts: sum('reservedHosts'),
    reservedPorts: sum('reservedPorts'),
    domains: sum('domains'),
  }
  tx.set(ref, { ...data, ...counts, paceAt: change.paceAt ?? data.paceAt })
}

/** For changes that reduce a count: an account that was never counted need not be counted for this. */
export async function lookToTake(tx: Transaction, account: string): Promise<(change: QuotaChange) => void> {
  const quota = await tx.get(quotas.ref(account))
  return (change) => {
    if (quota) writeQuota(tx, quota, change)
  }
}

export type Pace = { readonly paceAt: number } | { readonly error: PortTunnelerError }

/**
 * Takes one more new address (GCRA): 2 x the limit of tunnels online + 8 at once, then one after each share of the
 * rest, so that at most twice as many of an account rest at any time.
 */
export function pace(paceAt: number, { online, nowMs }: { online: number; nowMs: number }): Pace {
  const costMs = restMs / (2 * online + 8)
  const before = isAhead(paceAt, { nowMs, lastsMs: restMs }) ? nowMs : paceAt
  const next = Math.max(before, nowMs) + costMs
  const waitMs = Math.ceil(next - restMs - nowMs)
  // Rounded down; otherwise the roundings of the others would refuse the last of the burst.
  if (waitMs <= 1) return { paceAt: Math.floor(next) }
  const detail = `The account took ${2 * online + 8} new addresses within ${Math.round(restMs / 60_000)} min.`
  return { error: fail('quota.pace', detail, { fields: { retryAfterMs: waitMs } }) }
}

/** A count refused something: have it checked soon, unless that was done lately. */
export async function doubtQuota(
  control: Pick<AnyControl, 'store' | 'clock' | 'bus' | 'log'>,
  account: string,
): Promise<void> {
  const nowMs = control.clock.now()
  const quota = await control.store.get(quotas.ref(account))
  const isRecent = quota && isStillOn(quota.data.countedAt + repairMs, { nowMs, lastsMs: repairMs })
  if (!quota || isRecent) return
  const id = await control.store.transact(async (tx) => {
    const write = await look(tx, { kind: 'quota.repair', subject: account, account }, nowMs)
    return write()
  })
  await kick(control, [id])
}

/**
 * The state machine of an endpoint, as pure rules: free -> leased -> resting -> free. Who claims, renews or
 * releases gets the document as it shall be, or why not; claims.ts and sweeper.ts carry it out in transactions.
 * Invariant: no stranger gets an endpoint while a ticket of its last tunnel could still bind it.
 */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'

/** A released endpoint waits this long for its own tunnel, because people hate changing addresses. */
const keepMs = 30 * 24 * 3_600_000

/** A relay process that takes visitors, and since when it runs. */
export type ReadyRelay = { readonly instance: string; readonly bootAt: number }

/** What is known of a cell's relays, all of which have their word before an endpoint changes hands. */
export type CellView = {
  readonly ready: readonly ReadyRelay[]
  /** Every relay that is not gone has read all commands of before this time. */
  readonly appliedAt: number
  /** Every relay that is not gone has reported since. */
  readonly seenAt: number
  /** False: what is bound has not been read, so everything counts as bound. */
  readonly isFull: boolean
  readonly isBound: (endpoint: string) => boolean
}

export type Claimant = {
  readonly account: string
  readonly tunnel: string
  readonly agent: string
  readonly takeover: boolean
}

export type Verdict =
  /** `evicts`: bindings of lower epochs must go. */
  | { readonly kind: 'take'; readonly next: EndpointDoc; readonly evicts: boolean }
  /** Another agent of the same tunnel is connected. */
  | { readonly kind: 'held' }
  /** Of the same account's past tunnel: a few minutes more. */
  | { readonly kind: 'rests' }
  /** Somebody else's. */
  | { readonly kind: 'taken' }

export function decideClaim(
  id: string,
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  if (current.state === 'denied' || current.state === 'reserved') return { kind: 'taken' }
  if (current.state === 'free') return take(current, claimant, { nowMs, evicts: false })
  if (current.tunnel === claimant.tunnel) return decideOwn(current, { claimant, cell, nowMs })
  if (mayReuse(id, current, { account: claimant.account, cell, nowMs }))
    return take(current, claimant, { nowMs, evicts: true })
  return { kind: current.account === claimant.account && current.state === 'resting' ? 'rests' : 'taken' }
}

function decideOwn(
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  if (current.state !== 'leased') return take(current, claimant, { nowMs, evicts: false })
  // The same agent after a restart: the epoch stays, and relays let its newest session win.
  if (current.agent === claimant.agent) {
    const next = { ...current, expiresAt: nowMs + limits.leaseMs, away: {} }
    return { kind: 'take', next, evicts: false }
  }
  const isServed = current.expiresAt > nowMs && !isAway(current, cell.ready)
  if (isServed && !claimant.takeover) return { kind: 'held' }
  return take(current, claimant, { nowMs, evicts: true })
}

/** Deleting a document can never make an old ticket the newer one: epochs follow the clock too. */
function nextEpoch(current: number, nowMs: number): number {
  return Math.max(current + 1, nowMs)
}

function take(
  current: EndpointDoc,
  { account, tunnel, agent }: Claimant,
  { nowMs, evicts }: { nowMs: number; evicts: boolean },
): Verdict {
  const next: EndpointDoc = {
    ...current,
    state: 'leased',
    account,
    tunnel,
    agent,
    epoch: nextEpoch(current.epoch, nowMs),
    leasedAt: nowMs,
    expiresAt: nowMs + limits.leaseMs,
    releasedAt: 0,
    restUntil: 0,
    keepUntil: 0,
    away: {},
  }
  return { kind: 'take', next, evicts }
}

/**
 * Whether a tunnel other than its last may have it. A stranger waits until every old ticket is dead; the same account
 * (whose name it is) only until the relays have refused the old epoch.
 */
export function mayReuse(
  id: string,
  current: EndpointDoc,
  { account, cell, nowMs }: { account: string; cell: CellView; nowMs: number },
): boolean {
  if (current.state === 'free') return true
  if (cell.isBound(id)) return false
  if (current.state === 'leased') {
    // Nobody released it: its tickets died with the lease, and only an agent that is still bound could hold it.
    const deadAt = current.expiresAt + limits.skewMs
    return current.kind === 'tcp' && deadAt <= nowMs && cell.seenAt >= deadAt
  }
  if (current.state !== 'resting' || cell.appliedAt <= current.releasedAt) return false
  if (current.account === account) return true
  return current.restUntil <= nowMs && (current.kind === 'tcp' || current.keepUntil <= nowMs)
}

export type Renewal =
  | { readonly kind: 'keep' | 'extend'; readonly next: EndpointDoc }
  /** Another agent has it: final. */
  | { readonly kind: 'lost' }
  /** Released, expired and swept, or given on: claim again. */
  | { readonly kind: 'gone' }

export function decideRenewal(
  current: EndpointDoc,
  { tunnel, agent, epoch, nowMs }: { tunnel: string; agent: string; epoch: number; nowMs: number },
): Renewal {
  if (current.state !== 'leased' || current.tunnel !== tunnel) return { kind: 'gone' }
  if (current.agent !== agent || current.epoch !== epoch) return { kind: 'lost' }
  if (current.expiresAt - nowMs >= limits.leaseExtendUnderMs) return { kind: 'keep', next: current }
  return { kind: 'extend', next: { ...current, expiresAt: nowMs + limits.leaseMs } }
}

/**
 * The endpoint after its lease has ended, by release, deletion of the tunnel or expiry. The epoch rises, so that the
 * command which goes with it ends every binding.
 * @param forget the tunnel is gone for good: the endpoint waits for nobody
 */
export function release(
  current: EndpointDoc,
  { nowMs, forget }: { nowMs: number; forget: boolean },
): EndpointDoc {
  if (current.state === 'resting') return forget ? { ...current, keepUntil: current.restUntil } : current
  // No ticket outlives its lease, nor a ticket's lifetime from now.
  const ticketsUntil = Math.min(current.expiresAt, nowMs + limits.ticketMs)
  const restUntil = Math.max(ticketsUntil, nowMs) + limits.skewMs
  return {
    ...current,
    state: 'resting',
    epoch: nextEpoch(current.epoch, nowMs),
    releasedAt: nowMs,
    restUntil,
    keepUntil: forget ? restUntil : nowMs + keepMs,
    away: {},
  }
}

/** The tcp endpoint after its rest: anybody's. */
export function free(current: EndpointDoc): EndpointDoc {
  const nobody = { account: '', tunnel: '', agent: '' }
  return { ...current, ...nobody, state: 'free', expiresAt: 0, releasedAt: 0, restUntil: 0, keepUntil: 0 }
}

/** Away = every ready relay says that no agent has been there for a minute. */
export function isAway(current: Pick<EndpointDoc, 'away'>, ready: readonly ReadyRelay[]): boolean {
  return ready.length > 0 && ready.every(({ instance, bootAt }) => (current.away[instance] ?? -1) >= bootAt)
}

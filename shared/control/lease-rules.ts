/**
 * The state machine of an endpoint, as pure rules: free -> leased -> resting -> free. A claim, renewal or release gets
 * the new document, or the reason why not; claims.ts and sweeper.ts carry it out in transactions. Invariant: no
 * stranger gets an endpoint while a ticket of its last tunnel could still bind it.
 */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'
import type { HolderDoc } from './holder-document.ts'
import { presenceOf, type Witness } from './presence.ts'

/** How long a released endpoint is kept for its own tunnel, because people hate changing addresses. */
export const keepMs = 30 * 24 * 3_600_000
/** Per tunnel: each agent holds a session to every relay, and relays choose among them for every visitor. */
export const holdersMax = 16

/** A relay process that takes visitors, and since when it runs. */
export type ReadyRelay = { readonly instance: string; readonly bootAt: number }

/** What is known of a cell's relays, which all have a say before an endpoint changes hands. */
export type CellView = {
  /** The relays that are asked whether an agent is still there. */
  readonly witnesses: readonly Witness[]
  readonly ready: readonly ReadyRelay[]
  /** Every relay that is not gone has read all commands up to this time. */
  readonly appliedAt: number
  /** Every relay that is not gone has reported since. */
  readonly seenAt: number
  /** False: what relays have bound has not been read, so everything counts as bound. */
  readonly hasBound: boolean
  readonly isBound: (endpoint: string) => boolean
}

export type Claimant = {
  readonly account: string
  readonly tunnel: string
  readonly agent: string
  readonly takeover: boolean
  /** How long it has waited since it first asked. Older agents do not say; that counts as long. */
  readonly waitedMs?: number | undefined
  /** The tunnel is for many agents: this one joins its holders. */
  readonly shares: boolean
  /** It asks for exactly this address, so it may take it from another tunnel whose agents are away. */
  readonly insists?: boolean
  /** The key or person whose rights it has: when these end, so does its part of the lease. */
  readonly key?: string
  /** What people are told about it; no rule depends on it. */
  readonly seen?: HolderDoc['seen']
}

export type Verdict =
  /** `evicts`: bindings of lower epochs must go. */
  | { readonly kind: 'take'; readonly next: EndpointDoc; readonly evicts: boolean }
  /** Another agent of the same tunnel is connected. */
  | { readonly kind: 'held' }
  /** Relays have yet to say whether it still is. `isOfOther`: the agent serves another tunnel. */
  | { readonly kind: 'unclear'; readonly retryInMs: number; readonly isOfOther?: boolean }
  /** Somebody stopped this agent since it was started. */
  | { readonly kind: 'stopped'; readonly key: 'agent.stopped' | 'session.revoked' }
  /** The maximum number of agents is connected. */
  | { readonly kind: 'full' }
  /** After a tunnel of the same account: some minutes more; after another account's: until its tickets are over. */
  | { readonly kind: 'rests'; readonly untilMs?: number }
  /** It belongs to somebody else. */
  | { readonly kind: 'taken' }

export function decideClaim(
  id: string,
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  if (current.state === 'denied' || isWithheld(current, nowMs)) return { kind: 'taken' }
  if (isKeptFromClaim(current, claimant)) return { kind: 'taken' }
  if (current.state === 'free' || current.state === 'reserved')
    return take(current, claimant, { nowMs, evicts: false })
  if (current.tunnel === claimant.tunnel) return decideOwn(id, current, { claimant, cell, nowMs })
  // A stranger's lapsed lease counts in their quota, so the system ends it first (sweeper.ts).
  const isStrangers = current.state === 'leased' && current.account !== claimant.account
  if (!isStrangers && mayReuse(id, current, { account: claimant.account, cell, nowMs }))
    return take(current, claimant, { nowMs, evicts: true })
  if (current.account !== claimant.account) return { kind: 'taken' }
  if (current.state === 'resting')
    return { kind: 'rests', ...(current.wasAnothers && { untilMs: current.restUntil }) }
  return claimant.insists ? decideOther(id, current, { claimant, cell, nowMs }) : { kind: 'taken' }
}

/** Whether its tunnel was taken down. Then not even that tunnel gets it. */
function isWithheld({ isTakenDown, keepUntil }: EndpointDoc, nowMs: number): boolean {
  return isTakenDown === true && keepUntil > nowMs
}

/** Whether it is reserved for another account, or for another tunnel. */
function isKeptFromClaim(current: EndpointDoc, { account, tunnel }: Claimant): boolean {
  if (!isReserved(current)) return current.state === 'reserved'
  const { reservedTunnel = '' } = current
  return current.account !== account || (reservedTunnel !== '' && reservedTunnel !== tunnel)
}

export function isReserved({ reservedAt }: Pick<EndpointDoc, 'reservedAt'>): boolean {
  return reservedAt !== undefined
}

/** Another tunnel of the account has it. As with the agents of one tunnel, relays say whether it is served. */
function decideOther(
  id: string,
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  // Its agents were told to claim it again: only for a moment nobody has it.
  if (isUnheld(current)) return { kind: 'taken' }
  const presence = presenceOf(id, current, { cell, nowMs, waitedMs: claimant.waitedMs })
  if (presence.kind === 'away') return take(current, claimant, { nowMs, evicts: true })
  return presence.kind === 'held' ? { kind: 'taken' } : { ...presence, isOfOther: true }
}

function decideOwn(
  id: string,
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  if (current.state !== 'leased') return take(current, claimant, { nowMs, evicts: false })
  if (claimant.shares) return join(id, current, { claimant, cell, nowMs })
  // The same agent after a restart: the epoch stays, and relays let its newest session win.
  if (isHolder(current, claimant.agent) || isUnheld(current))
    return { kind: 'take', next: hold(current, {}, claimant, nowMs), evicts: false }
  if (current.expiresAt > nowMs && !claimant.takeover) {
    const presence = presenceOf(id, current, { cell, nowMs, waitedMs: claimant.waitedMs })
    if (presence.kind !== 'away') return presence
  }
  return take(current, claimant, { nowMs, evicts: true })
}

/** Becomes a holder beside the others, at the same epoch, so nobody is evicted. */
function join(
  id: string,
  current: EndpointDoc,
  { claimant, cell, nowMs }: { claimant: Claimant; cell: CellView; nowMs: number },
): Verdict {
  const { agent } = claimant
  const others = liveHolders(current, nowMs).filter(([other]) => other !== agent)
  const present = others.filter(([, holder]) => !isHolderAway(holder, cell.ready))
  if (present.length >= holdersMax) {
    const presence = presenceOf(id, current, { cell, nowMs })
    if (presence.kind !== 'away') return cell.hasBound ? { kind: 'full' } : presence
    present.length = 0
  }
  const kept = others.length < holdersMax ? others : present
  return { kind: 'take', next: hold(current, Object.fromEntries(kept), claimant, nowMs), evicts: false }
}

/** `agent` holds the endpoint for the time of a lease from now, beside `others`. */
function hold(
  current: EndpointDoc,
  others: { readonly [agent: string]: HolderDoc },
  { agent, key, seen }: Pick<Claimant, 'agent' | 'key' | 'seen'>,
  nowMs: number,
): EndpointDoc {
  const expiresAt = nowMs + limits.leaseMs
  const since = current.holders?.[agent]?.since ?? nowMs
  const about = { ...(key !== undefined && { key }), ...(seen && { seen }) }
  const holder: HolderDoc = { since, expiresAt, away: {}, ...about }
  return { ...current, expiresAt, holders: { ...others, [agent]: holder } }
}

export function isHolder({ holders = {} }: Pick<EndpointDoc, 'holders'>, agent: string): boolean {
  return holders[agent] !== undefined
}

export function isUnheld({ holders = {} }: EndpointDoc): boolean {
  return Object.keys(holders).length === 0
}

/** Holders whose own part of the lease is not over, the longest first. */
export function liveHolders(
  { holders = {} }: Pick<EndpointDoc, 'holders'>,
  nowMs: number,
): (readonly [agent: string, holder: HolderDoc])[] {
  const live = Object.entries(holders).filter(([, { expiresAt }]) => expiresAt > nowMs)
  return live.sort(([, a], [, b]) => a.since - b.since)
}

/** Epochs also follow the clock, so deleting a document never makes an old ticket the newer one. */
export function nextEpoch(current: number, nowMs: number): number {
  return Math.max(current + 1, nowMs)
}

function take(
  current: EndpointDoc,
  claimant: Claimant,
  { nowMs, evicts }: { nowMs: number; evicts: boolean },
): Verdict {
  const { account, tunnel } = claimant
  const { isDisplaced: _, wasAnothers: __, isTakenDown: ___, stopped, ...rest } = current
  const next: EndpointDoc = {
    ...rest,
    ...(stopped && current.tunnel === tunnel && { stopped }),
    state: 'leased',
    account,
    tunnel,
    holders: {},
    epoch: nextEpoch(current.epoch, nowMs),
    leasedAt: nowMs,
    servedAt: 0,
    releasedAt: 0,
    restUntil: 0,
    keepUntil: 0,
  }
  return { kind: 'take', next: hold(next, {}, claimant, nowMs), evicts }
}

/**
 * Whether a tunnel other than its last may have it. A stranger waits until every old ticket is dead. The same account,
 * to which the name belongs, waits only until the relays refuse the old epoch.
 */
export function mayReuse(
  id: string,
  current: EndpointDoc,
  { account, cell, nowMs }: { account: string; cell: CellView; nowMs: number },
): boolean {
  if (current.state === 'free') return true
  if (isWithheld(current, nowMs)) return false
  if (isReserved(current) && current.account !== account) return false
  if (current.state === 'reserved') return true
  if (cell.isBound(id)) return false
  if (current.state === 'leased') {
    // Nobody released it: its tickets died with the lease, and only an agent that is still bound could hold it.
    const deadAt = current.expiresAt + limits.skewMs
    return current.kind === 'tcp' && deadAt <= nowMs && cell.seenAt >= deadAt
  }
  if (current.state !== 'resting' || cell.appliedAt <= current.releasedAt) return false
  if (current.account === account && !current.wasAnothers) return true
  return current.restUntil <= nowMs && (current.kind === 'tcp' || current.keepUntil <= nowMs)
}

/**
 * Removes one holder.
 * @returns undefined when none would be left: then the lease ends
 */
export function leave(current: EndpointDoc, agent: string, nowMs: number): EndpointDoc | undefined {
  const others = liveHolders(current, nowMs).filter(([other]) => other !== agent)
  // `expiresAt` stays: tickets of the leaving holder may live that long.
  return others.length === 0 ? undefined : { ...current, holders: Object.fromEntries(others) }
}

/**
 * Removes these holders and ends every ticket; the others claim again and join.
 * @returns undefined when none would be left
 */
export function leaveAll(
  current: EndpointDoc,
  agents: readonly string[],
  nowMs: number,
): EndpointDoc | undefined {
  const left = liveHolders(current, nowMs).filter(([agent]) => !agents.includes(agent))
  const epoch = nextEpoch(current.epoch, nowMs)
  return left.length === 0 ? undefined : { ...current, holders: Object.fromEntries(left), epoch }
}

/** The tunnel is set to one agent again: the first of its agents to claim goes on, at a new epoch. */
export function disband(current: EndpointDoc, nowMs: number): EndpointDoc {
  return { ...current, holders: {}, epoch: nextEpoch(current.epoch, nowMs) }
}

export type Ending = {
  /** The tunnel is gone for good, so the endpoint is kept for nobody. */
  readonly forget: boolean
  /** Its account's limit ended it. */
  readonly isDisplaced?: boolean
}

/**
 * The endpoint after its lease has ended, by release, deletion of the tunnel or expiry. The epoch rises, so that the
 * accompanying command ends every binding.
 */
export function release(
  current: EndpointDoc,
  { nowMs, forget, isDisplaced = false }: Ending & { readonly nowMs: number },
): EndpointDoc {
  const anyTunnel = forget && isReserved(current) ? { reservedTunnel: '' } : {}
  if (current.state === 'resting')
    return forget ? { ...current, ...anyTunnel, keepUntil: current.restUntil } : current
  // No ticket outlives its lease, or a ticket's lifetime from now.
  const ticketsUntil = Math.min(current.expiresAt, nowMs + limits.ticketMs)
  const restUntil = Math.max(ticketsUntil, nowMs) + limits.skewMs
  return {
    ...current,
    state: 'resting',
    epoch: nextEpoch(current.epoch, nowMs),
    releasedAt: nowMs,
    restUntil,
    keepUntil: forget ? restUntil : nowMs + keepMs,
    holders: {},
    ...anyTunnel,
    ...(isDisplaced && { isDisplaced }),
  }
}

/**
 * Frees a lapsed endpoint for a stranger: nobody released it, and no ticket can bind it any more.
 * @returns undefined when that is not so
 */
export function endLapsed(
  id: string,
  current: EndpointDoc,
  { cell, nowMs }: { cell: CellView; nowMs: number },
): EndpointDoc | undefined {
  if (current.state !== 'leased' || !mayReuse(id, current, { account: '', cell, nowMs })) return undefined
  return free(release(current, { nowMs, forget: true }))
}

/** The endpoint after its rest: free for everybody, or for the account that keeps it. */
export function free({
  isDisplaced: _,
  wasAnothers: __,
  stopped: ___,
  isTakenDown: ____,
  ...current
}: EndpointDoc): EndpointDoc {
  const nobody = { account: isReserved(current) ? current.account : '', tunnel: '', holders: {} }
  const state = isReserved(current) ? 'reserved' : 'free'
  return { ...current, ...nobody, state, expiresAt: 0, releasedAt: 0, restUntil: 0, keepUntil: 0 }
}

/** A tunnel is away when every holder is. */
export function isAway(
  { holders = {} }: Pick<EndpointDoc, 'holders'>,
  ready: readonly ReadyRelay[],
): boolean {
  return ready.length > 0 && Object.values(holders).every((holder) => isHolderAway(holder, ready))
}

/** A holder is away when every ready relay says that it has not been there for a minute. */
export function isHolderAway({ away }: Pick<HolderDoc, 'away'>, ready: readonly ReadyRelay[]): boolean {
  return ready.length > 0 && ready.every(({ instance, bootAt }) => (away[instance] ?? -1) >= bootAt)
}

/** Records what a relay reports about its agents, or one of them. @returns undefined when nothing changes */
export function withAway(
  current: EndpointDoc,
  { instance, agent, away, nowMs }: { instance: string; agent?: string; away: boolean; nowMs: number },
): EndpointDoc | undefined {
  const { holders = {} } = current
  const told = Object.entries(holders).filter(([id]) => agent === undefined || id === agent)
  const changed = told.filter(([, holder]) => away !== (holder.away[instance] !== undefined))
  if (changed.length === 0) return undefined
  const next = changed.map(([id, holder]) => {
    const { [instance]: _, ...others } = holder.away
    return [id, { ...holder, away: away ? { ...others, [instance]: nowMs } : others }] as const
  })
  return { ...current, holders: { ...holders, ...Object.fromEntries(next) } }
}

/**
 * Who may have a name, as pure rules: free -> active -> resting -> free. A name is an alias of a tunnel; relays learn
 * it from the tunnel's tickets and from commands. tunnel-names.ts carries the rules out in transactions. Invariant:
 * nobody gets a name while a relay could still lead its visitors to another account's tunnel, or to a tunnel of another
 * cell.
 */
import { limits } from '../protocol/limits.ts'
import { lateMaxMs } from './books/calendar.ts'
import type { TunnelDoc } from './documents.ts'
import type { NameDoc } from './name-documents.ts'
import { believed, isAhead } from './stored-times.ts'

/** A relay that is silent for a day routes no names (relay-vm/name-knowledge.ts); after that we do not wait for it. */
export const silentRelayMs = 24 * 3_600_000 + limits.skewMs
/** By then every relay has applied a removal or no longer counts, and every ticket is dead: the document is useless. */
const restKeepMs = 48 * 3_600_000
/** How long a cell that the tunnel left counts: until no relay there can still know it. */
const formerMs = silentRelayMs + limits.ticketMs

export type NameClaimant = {
  readonly account: string
  readonly tunnel: string
  /** The tunnel's cell, now or last; '' = it never had an endpoint. */
  readonly cell: string
}

/** What the relays of the cells that routed a resting name have said. */
export type NameView = {
  /** Every relay that counts has applied all commands up to this time; Infinity: there is none. */
  readonly appliedAt: number
}

export type NameVerdict =
  | { readonly kind: 'take'; readonly next: NameDoc }
  /** The tunnel has it already. */
  | { readonly kind: 'has' }
  /** It belongs to another account, or to a tunnel of the same account in another cell. */
  | { readonly kind: 'held' | 'elsewhere' }
  | { readonly kind: 'rests'; readonly retryInMs: number }

/** @param holderCells cells where the tunnel that has it now is, or was lately */
export function decideName(
  current: NameDoc | undefined,
  {
    claimant,
    holderCells,
    view,
    nowMs,
  }: {
    readonly claimant: NameClaimant
    readonly holderCells: readonly string[]
    readonly view: NameView
    readonly nowMs: number
  },
): NameVerdict {
  const { account, tunnel } = claimant
  const version = Math.max((current?.version ?? 0) + 1, nowMs)
  const next = {
    account,
    tunnel,
    cells: [],
    state: 'active',
    version,
    ticketsUntil: 0,
    removedAt: 0,
  } as const
  if (current === undefined) return { kind: 'take', next }
  if (current.state === 'active') {
    if (current.tunnel === tunnel) return { kind: 'has' }
    if (current.account !== account) return { kind: 'held' }
    return isAtHome(holderCells, claimant) ? { kind: 'take', next } : { kind: 'elsewhere' }
  }
  if (current.account === account && isAtHome(current.cells, claimant)) return { kind: 'take', next }
  return isRested(current, view, nowMs)
    ? { kind: 'take', next }
    : { kind: 'rests', retryInMs: Math.max(limits.syncMs, current.ticketsUntil + limits.skewMs - nowMs) }
}

/** Relays of one cell keep the highest version, so they never believe both the old and the new route. */
function isAtHome(cells: readonly string[], { cell }: NameClaimant): boolean {
  return cells.every((one) => one === cell)
}

function isRested({ cells, ticketsUntil, removedAt }: NameDoc, view: NameView, nowMs: number): boolean {
  if (cells.length === 0) return true
  return nowMs >= ticketsUntil + limits.skewMs && view.appliedAt > removedAt
}

/** The name after its tunnel has given it up. */
export function restName(current: NameDoc, cells: readonly string[], nowMs: number): NameDoc {
  return {
    ...current,
    cells,
    state: 'resting',
    version: Math.max(current.version + 1, nowMs),
    // Renewals write nothing to the name, and one that is under way may still list it until then.
    ticketsUntil: nowMs + limits.ticketMs,
    removedAt: nowMs,
    ttl: new Date(nowMs + restKeepMs),
  }
}

/** A fast clock set its times, so it rests its full time from now, however much of that is over. */
export function putBackName(current: NameDoc, nowMs: number): NameDoc | 'keep' {
  if (current.state !== 'resting' || !isAhead(current.removedAt, { nowMs, lastsMs: 0 })) return 'keep'
  const ticketsUntil = believed(current.ticketsUntil, { nowMs, lastsMs: limits.ticketMs })
  return { ...current, ticketsUntil, removedAt: nowMs, ttl: new Date(nowMs + restKeepMs) }
}

/** Cells whose relays may have been told of the tunnel's names. */
export function cellsOf({ cell, formerCells = {} }: TunnelDoc, nowMs: number): readonly string[] {
  const former = Object.entries(formerCells).flatMap(([id, at]) => (at > nowMs - formerMs ? [id] : []))
  return [...new Set([cell, ...former])].filter((id) => id !== '')
}

/** The tunnel leaves `cell` for another. The cell is kept as long as relays there may report its usage. */
export function leaveCell(
  { formerCells = {} }: TunnelDoc,
  cell: string,
  nowMs: number,
): NonNullable<TunnelDoc['formerCells']> {
  const recent = Object.entries(formerCells).filter(([, at]) => at > nowMs - lateMaxMs)
  return { ...Object.fromEntries(recent), [cell]: nowMs }
}

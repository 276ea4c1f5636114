/**
 * Who may have a name, as pure rules: free -> active -> resting -> free. A name is an alias of a tunnel, told to relays
 * by the tunnel's tickets and by commands; tunnel-names.ts carries the rules out in transactions.
 * Invariant: nobody gets a name while a relay could still lead its visitors to another account's tunnel, or to one of
 * another cell.
 */
import { limits } from '../protocol/limits.ts'
import { lateMaxMs } from './books/calendar.ts'
import type { TunnelDoc } from './documents.ts'
import type { NameDoc } from './name-documents.ts'
import { believed, isAhead } from './stored-times.ts'

/** A relay that is silent for a day routes no names (relay-vm/name-knowledge.ts); from then on it has no say. */
export const silentRelayMs = 24 * 3_600_000 + limits.skewMs
/** By then every relay has applied a removal or has no say, and every ticket is dead: the document says no more. */
const restKeepMs = 48 * 3_600_000
/** Where a tunnel was before a relay could forget it. */
const formerMs = silentRelayMs + limits.ticketMs

export type NameClaimant = {
  readonly account: string
  readonly tunnel: string
  /** Where it is, or was last; '' = it never had an endpoint. */
  readonly cell: string
}

/** What the relays have said of the cells that a resting name was routed in. */
export type NameView = {
  /** Every relay that has a say has applied all commands of before this time; Infinity: none has. */
  readonly appliedAt: number
}

export type NameVerdict =
  | { readonly kind: 'take'; readonly next: NameDoc }
  /** The tunnel has it. */
  | { readonly kind: 'has' }
  /** Another account's, or that of a tunnel of the same account in another cell. */
  | { readonly kind: 'held' | 'elsewhere' }
  | { readonly kind: 'rests'; readonly retryInMs: number }

/** @param holderCells where the tunnel that has it now is or was lately */
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

/** Relays of one cell keep the highest version: the old route and the new are never both believed there. */
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
    // Renewals are asked for nothing: one that is under way may list it until then.
    ticketsUntil: nowMs + limits.ticketMs,
    removedAt: nowMs,
    ttl: new Date(nowMs + restKeepMs),
  }
}

/** A clock that was ahead has set its times: it rests its full time from now, whatever of that is over. */
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

/** The tunnel leaves `cell` for another one. Kept for as long as relays there may report its usage. */
export function leaveCell(
  { formerCells = {} }: TunnelDoc,
  cell: string,
  nowMs: number,
): NonNullable<TunnelDoc['formerCells']> {
  const recent = Object.entries(formerCells).filter(([, at]) => at > nowMs - lateMaxMs)
  return { ...Object.fromEntries(recent), [cell]: nowMs }
}

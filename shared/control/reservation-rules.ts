/**
 * Endpoints that an account keeps whether or not one of its tunnels has them, as pure rules beside those of leases
 * (lease-rules.ts); reservations.ts carries them out. A reservation is part of the endpoint's own document, so whoever
 * claims and whoever reserves meet in it, and one of them is first.
 * Invariant: what changes accounts rests like any endpoint until no ticket of the account before can bind it.
 */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'
import { type CellView, free, isReserved, keepMs, mayReuse, nextEpoch, release } from './lease-rules.ts'

/** What is given up rests as long as it was kept, so that nobody blocks more names than they have room for. */
const restMsMin = limits.ticketMs + limits.skewMs
const restMsMax = keepMs

export type ReserveVerdict =
  | { readonly kind: 'take'; readonly next: EndpointDoc }
  /** The account keeps it already. */
  | { readonly kind: 'has' }
  | { readonly kind: 'denied' | 'held' }
  /** Whether it is free, relays say. */
  | { readonly kind: 'unread' }

export function decideReserve(
  id: string,
  current: EndpointDoc,
  { account, cell, nowMs }: { account: string; cell: CellView; nowMs: number },
): ReserveVerdict {
  if (current.state === 'denied') return { kind: 'denied' }
  if (isReserved(current)) return { kind: current.account === account ? 'has' : 'held' }
  if (current.state === 'reserved') return { kind: 'held' }
  const reserved = { account, reservedAt: nowMs, reservedTunnel: '', reservedRevision: 1 }
  if (current.state === 'free') return { kind: 'take', next: { ...current, ...reserved, state: 'reserved' } }
  if (current.account === account) return { kind: 'take', next: { ...current, ...reserved } }
  if (current.state === 'leased') return { kind: 'held' }
  // Nobody takes what waits for its last owner: the wait is over, or it is theirs.
  if (current.keepUntil > nowMs) return { kind: 'held' }
  if (mayReuse(id, current, { account, cell, nowMs }))
    return { kind: 'take', next: free({ ...current, ...reserved }) }
  return { kind: cell.isFull ? 'held' : 'unread' }
}

/** How long it rests once it is given up. */
export function restMsOf({ reservedAt = 0 }: Pick<EndpointDoc, 'reservedAt'>, nowMs: number): number {
  return Math.min(restMsMax, Math.max(restMsMin, nowMs - reservedAt))
}

/**
 * The account keeps it no more. A tunnel that has it goes on and has it for as long as it runs; then it waits for that
 * tunnel like any address.
 */
export function giveUp(
  { reservedAt: _, reservedTunnel: __, reservedRevision: ___, ...current }: EndpointDoc,
  restMs: number,
  nowMs: number,
): EndpointDoc {
  if (current.state === 'leased') return current
  const restUntil = Math.max(current.restUntil, nowMs + restMs)
  return { ...current, state: 'resting', restUntil, keepUntil: Math.max(current.keepUntil, restUntil) }
}

/** Only this tunnel of the account gets it from now on ('' = any of them); whoever serves it loses it at once. */
export function dedicate(current: EndpointDoc, tunnel: string, nowMs: number): EndpointDoc {
  const next = { ...current, reservedTunnel: tunnel, reservedRevision: revisionOf(current) + 1 }
  const rests = current.state === 'resting' && current.wasAnothers
  if (tunnel === '' || current.tunnel === tunnel || current.state === 'reserved' || rests) return next
  // Both are the account's own: an old ticket loses by its epoch, so the new tunnel need not wait.
  return { ...release(next, { nowMs, forget: false }), tunnel }
}

/** Another account of the same person keeps it from now on. */
export function passOn(current: EndpointDoc, account: string, nowMs: number): EndpointDoc {
  const reservation = {
    account,
    reservedAt: nowMs,
    reservedTunnel: '',
    reservedRevision: revisionOf(current) + 1,
  }
  if (current.state === 'reserved') return { ...current, ...reservation }
  const ended = release(current, { nowMs, forget: true })
  return { ...ended, ...reservation, epoch: nextEpoch(ended.epoch, nowMs), tunnel: '', wasAnothers: true }
}

export function revisionOf({ reservedRevision = 0 }: EndpointDoc): number {
  return reservedRevision
}

/**
 * Endpoints that an account keeps whether or not one of its tunnels has them, as pure rules beside those of leases
 * (lease-rules.ts); reservations.ts carries them out. A reservation is part of the endpoint's own document, so a claim
 * and a reservation meet there and one of them is first. Invariant: an endpoint that changes accounts rests like any
 * other until no ticket of the former account can bind it.
 */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'
import { type CellView, free, isReserved, keepMs, mayReuse, nextEpoch, release } from './lease-rules.ts'

/** It rests as long as it was kept, so that nobody blocks more names than they have room for. */
const restMsMin = limits.ticketMs + limits.skewMs
const restMsMax = keepMs

export type ReserveVerdict =
  | { readonly kind: 'take'; readonly next: EndpointDoc }
  /** The account already keeps it. */
  | { readonly kind: 'has' }
  | { readonly kind: 'denied' | 'held' }
  /** Relays have to say whether it is free. */
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
  // While it is kept for its last owner, nobody else gets it.
  if (current.keepUntil > nowMs) return { kind: 'held' }
  if (mayReuse(id, current, { account, cell, nowMs }))
    return { kind: 'take', next: free({ ...current, ...reserved }) }
  return { kind: cell.hasBound ? 'held' : 'unread' }
}

/** How long it rests after it is given up. */
export function restMsOf({ reservedAt = 0 }: Pick<EndpointDoc, 'reservedAt'>, nowMs: number): number {
  return Math.min(restMsMax, Math.max(restMsMin, nowMs - reservedAt))
}

/**
 * The account no longer keeps it. A tunnel that has it goes on for as long as it runs; then it is kept for that tunnel
 * like any address.
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

/** From now on only this tunnel of the account gets it ('' = any of them); a tunnel that serves it loses it at once. */
export function dedicate(current: EndpointDoc, tunnel: string, nowMs: number): EndpointDoc {
  const next = { ...current, reservedTunnel: tunnel, reservedRevision: revisionOf(current) + 1 }
  const rests = current.state === 'resting' && current.wasAnothers
  if (tunnel === '' || current.tunnel === tunnel || current.state === 'reserved' || rests) return next
  // Both tunnels belong to the account, and an old ticket loses by its epoch, so the new tunnel need not wait.
  return { ...release(next, { nowMs, forget: false }), tunnel }
}

/** From now on another account of the same person keeps it. */
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

/** Corrects endpoints whose times a fast clock has set, as if a right clock had set them (ahead.ts). */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'
import { keepMs } from './lease-rules.ts'
import { believed } from './stored-times.ts'

/** Nobody else gets a released endpoint before every ticket for it is dead, by the clock of every relay. */
export const restMs = limits.ticketMs + limits.skewMs

/** Begins its times anew from now, where a fast clock has set them. */
export function putBackLease(current: EndpointDoc, nowMs: number): EndpointDoc {
  const past = (atMs: number) => Math.min(atMs, nowMs)
  const until = (atMs: number) => believed(atMs, { nowMs, lastsMs: limits.leaseMs })
  const holders = Object.entries(current.holders ?? {}).map(([agent, holder]) => {
    const away = Object.fromEntries(Object.entries(holder.away).filter(([, atMs]) => atMs <= nowMs))
    return [
      agent,
      { ...holder, since: past(holder.since), expiresAt: until(holder.expiresAt), away },
    ] as const
  })
  return {
    ...current,
    leasedAt: past(current.leasedAt),
    expiresAt: until(current.expiresAt),
    holders: Object.fromEntries(holders),
  }
}

/** The same for its rest, which begins in full again: nobody knows how much of it is over. */
export function putBackRest(current: EndpointDoc, nowMs: number): EndpointDoc {
  const until = (atMs: number, lastsMs: number) => believed(atMs, { nowMs, lastsMs })
  return {
    ...current,
    releasedAt: Math.min(current.releasedAt, nowMs),
    restUntil: until(current.restUntil, restMs),
    keepUntil: until(current.keepUntil, keepMs),
  }
}

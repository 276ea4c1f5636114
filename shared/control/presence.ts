/**
 * Whether the agents of a leased tunnel are still there, judged by what relays have reported. An agent that died, or
 * whose relay did, must not lock its account out for hours; an agent that serves must not lose its tunnel to a guess.
 * So a tunnel is away when every relay within reach has not had it for a minute; until they have said so, it is
 * unclear.
 */
import { limits } from '../protocol/limits.ts'
import type { EndpointDoc } from './documents.ts'

/** What a relay process has reported. All times are by the control plane's clock. */
export type Witness = {
  readonly instance: string
  /** When this boot was first heard of; 0 = before anybody asked. */
  readonly bootAt: number
  /** Time of its last report. */
  readonly seenAt: number
  /** Since when no pause between its reports was longer than `silentMs`. */
  readonly heardSince: number
  /** Its report has room for everything that is bound there, so what it does not name is not bound. */
  readonly isWhole: boolean
  /** What it has bound there. Older control planes recorded no epoch. */
  serves(endpoint: string): Bound | undefined
}
export type Bound = {
  readonly epoch: number | undefined
  /** Its agents have no connection now. */
  readonly isDetached: boolean
}

export type Presence =
  | { readonly kind: 'held' }
  | { readonly kind: 'away' }
  | { readonly kind: 'unclear'; readonly retryInMs: number }

type Question = {
  readonly cell: { readonly witnesses: readonly Witness[]; readonly hasBound: boolean }
  readonly nowMs: number
  /** With this, a relay proves life only by a report made since the question came up; undefined: by any report. */
  readonly waitedMs?: number | undefined
}

/** Four reports: a relay that misses this many while others report is cut off, or gone. */
export const silentMs = 4 * limits.syncMs
/** Two reports: after an older one its agent may be back. */
const freshMs = 2 * limits.syncMs
/** Relays report within this time, so a waiting agent finds out soon after. */
const retryMs = { min: 5_000, max: 10_000 } as const

/** @returns unclear, without a pause, when bound endpoints have not been read */
export function presenceOf(
  id: string,
  current: EndpointDoc,
  { cell, nowMs, waitedMs = Number.POSITIVE_INFINITY }: Question,
): Presence {
  if (!cell.hasBound) return { kind: 'unclear', retryInMs: 0 }
  const witnesses = withinReach(cell.witnesses, nowMs)
  const seen = witnesses.filter((witness) => isSeen(witness, id, current))
  // A dead connection is noticed after `lostMs`.
  const proofAt = nowMs - waitedMs + limits.lostMs
  if (seen.some(({ seenAt }) => seenAt >= proofAt)) return { kind: 'held' }
  if (seen.length > 0) return unclearUntil(proofAt + limits.syncMs, nowMs)
  const open = witnesses.filter(
    (witness) => witness.seenAt < nowMs - freshMs || !saysAway(witness, id, current, nowMs),
  )
  if (witnesses.length > 0 && open.length === 0) return { kind: 'away' }
  const known = open.map((witness) => quietFrom(witness, current, nowMs) + limits.awayMs)
  return unclearUntil(Math.max(nowMs, ...known), nowMs)
}

function unclearUntil(atMs: number, nowMs: number): Presence {
  return { kind: 'unclear', retryInMs: Math.min(retryMs.max, Math.max(retryMs.min, atMs - nowMs)) }
}

/**
 * We ignore a silent relay only while another is heard all along. Otherwise the control plane was away, and serving
 * relays may not have come back to it yet.
 */
function withinReach(witnesses: readonly Witness[], nowMs: number): readonly Witness[] {
  const since = nowMs - silentMs
  const heard = witnesses.filter(({ seenAt }) => seenAt >= since)
  return heard.some(({ heardSince }) => heardSince <= since) ? heard : witnesses
}

function isSeen(witness: Witness, id: string, { epoch }: EndpointDoc): boolean {
  const bound = witness.serves(id)
  return bound !== undefined && !bound.isDetached && (bound.epoch ?? epoch) === epoch
}

/** It has said so for each holder, or has reported for a minute without having any. */
function saysAway(witness: Witness, id: string, current: EndpointDoc, nowMs: number): boolean {
  const { instance, bootAt, seenAt } = witness
  const holders = Object.values(current.holders ?? {})
  if (holders.every(({ away }) => (away[instance] ?? -1) >= bootAt)) return true
  const bound = witness.serves(id)
  if (bound && (bound.epoch ?? current.epoch) === current.epoch) return false
  return witness.isWhole && seenAt - quietFrom(witness, current, nowMs) >= limits.awayMs
}

/** Since when the relay could have had an agent: its own start, or the last grant of the lease. */
function quietFrom({ bootAt }: Witness, { expiresAt }: EndpointDoc, nowMs: number): number {
  // Times far ahead come from a clock that was set back meanwhile.
  const possible = [bootAt, expiresAt - limits.leaseMs].filter((at) => at <= nowMs + limits.skewMs)
  return Math.max(0, ...possible)
}

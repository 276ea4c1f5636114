/**
 * How a claim to a host goes on, as pure rules: pending -> verified <-> failing -> suspended -> gone. Servers that are
 * silent or fail change nothing; only their answers do, and only when they repeat them, one to three hours apart.
 */
import { isAhead } from '../stored-times.ts'
import type { DomainDoc, VerifiedDoc } from './domain-documents.ts'
import type { Verdict } from './verdict.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** A pending claim without a finding is deleted after this. */
const pendingMs = 7 * day
/** Contrary answers count when they are this far apart: a provider's mishap is over by then. */
const contraryMs = hour
/** And no further: who asks seldom does not know whether the record stood meanwhile. Claims that wait ask hourly. */
const contraryMsMax = 3 * hour
const suspendAfterMs = 72 * hour
const unboundAfterMs = 7 * day
const forgetAfterMs = 30 * day
/** The longest that a claim waits for its next look, with its jitter. */
export const waitsMsMax = 1.1 * day

/** The steps while somebody waits for it, who may request looks as often as allowed. */
const pendingSteps: readonly (readonly [untilMs: number, everyMs: number])[] = [
  [hour, minute],
  [day, 10 * minute],
  [pendingMs, hour],
]

export type Next =
  | { readonly kind: 'keep'; readonly next: DomainDoc }
  /** The claim is over: nobody proved it, or the proof has been gone for long. */
  | { readonly kind: 'gone' }
  /** The claim stays, and the host is nobody's any more. */
  | { readonly kind: 'unbound'; readonly next: DomainDoc }

/** The state after a look; `holds` says whether the host is this claim's. @param random spreads the looks of a day */
export function afterLook(
  current: DomainDoc,
  { proof, findings }: Verdict,
  { holds, nowMs, random }: { readonly holds: boolean; readonly nowMs: number; readonly random: number },
): Next {
  const seen: DomainDoc = { ...putBack(current, nowMs), findings, checkedAt: nowMs }
  const wait = (next: DomainDoc, ms: number): Next => ({
    kind: 'keep',
    next: { ...next, nextAt: nowMs + ms },
  })
  if (proof === 'found' && holds) {
    const verifiedAt = current.state === 'verified' ? current.verifiedAt : nowMs
    const next = { ...seen, state: 'verified', verifiedAt, goneAt: 0, failingAt: 0 } as const
    return wait(next, Math.round(day * (0.9 + 0.2 * random)))
  }
  switch (current.state) {
    case 'pending': {
      const ageMs = nowMs - seen.createdAt
      const step = pendingSteps.find(([untilMs]) => ageMs < untilMs)
      return step ? wait(seen, step[1]) : { kind: 'gone' }
    }
    case 'verified':
      if (proof !== 'gone') return wait(seen, seen.goneAt > 0 ? hour : day)
      return isContraryTwice(seen.goneAt, nowMs)
        ? wait({ ...seen, state: 'failing', failingAt: seen.goneAt }, hour)
        : wait({ ...seen, goneAt: isDoubt(seen.goneAt, nowMs) ? seen.goneAt : nowMs }, hour)
    default:
      return proof === 'gone' ? lapse(seen, nowMs, wait) : wait(seen, hour)
  }
}

/** What a clock that was ahead has stored begins now, or nothing would come of it for as long as it was ahead. */
function putBack(current: DomainDoc, nowMs: number): DomainDoc {
  const past = (atMs: number) => (isAhead(atMs, { nowMs, lastsMs: 0 }) ? nowMs : atMs)
  const { createdAt, goneAt, failingAt } = current
  return { ...current, createdAt: past(createdAt), goneAt: past(goneAt), failingAt: past(failingAt) }
}

function lapse(seen: DomainDoc, nowMs: number, wait: (next: DomainDoc, ms: number) => Next): Next {
  const failingMs = nowMs - seen.failingAt
  if (failingMs >= forgetAfterMs) return { kind: 'gone' }
  if (failingMs >= unboundAfterMs)
    return { kind: 'unbound', next: { ...seen, state: 'suspended', nextAt: nowMs + day } }
  return wait(failingMs >= suspendAfterMs ? { ...seen, state: 'suspended' } : seen, hour)
}

export type Right =
  /** Nobody has the host, or this claim has it. */
  | { readonly kind: 'take' | 'has' }
  /** Another account's proof is gone: for the second time, or for the first. */
  | { readonly kind: 'takeOver' | 'doubt' }
  | { readonly kind: 'held' }

/**
 * Whether a claim with a proof gets the host.
 * @param isHolderGone the zone's servers agree that the holder's proof is nowhere
 */
export function decideRight(
  holder: VerifiedDoc | undefined,
  {
    claim,
    isHolderGone,
    nowMs,
  }: { readonly claim: string; readonly isHolderGone: boolean; readonly nowMs: number },
): Right {
  if (!holder) return { kind: 'take' }
  if (holder.claim === claim) return { kind: 'has' }
  if (!isHolderGone) return { kind: 'held' }
  // If it is already failing, its servers have said so twice.
  if (holder.state !== 'verified' || isContraryTwice(holder.goneAt, nowMs)) return { kind: 'takeOver' }
  return { kind: 'doubt' }
}

function isContraryTwice(goneAt: number, nowMs: number): boolean {
  return isDoubt(goneAt, nowMs) && nowMs - goneAt >= contraryMs
}

/** Whether a contrary answer of then still counts. @param goneAt 0 = there was none */
export function isDoubt(goneAt: number, nowMs: number): boolean {
  return goneAt > 0 && nowMs - goneAt <= contraryMsMax
}

/**
 * How long a deletion can be undone, and what is stored of it until then. An account or a person that is leaving keeps
 * everything, and uses nothing of it.
 */
import { believed } from '../stored-times.ts'

const dayMs = 24 * 3_600_000
/** Between a request and the deletion; the console, the mails and docs/privacy.md say so. */
export const graceMs = 14 * dayMs
/** So long before the end everybody concerned is reminded. */
const remindMs = 3 * dayMs

/** A type alias, since documents hold plain objects. */
export type Leaving = { readonly askedAt: number; readonly dueAt: number }
/** `isAlone`: nobody asked for it; the sign-in belongs to no account, and may be used until then. */
export type LeavingPerson = Leaving & { readonly isAlone?: true }
/** `was`: what an undoing leads back to. `with`: the person whose own deletion takes it along; '' = nobody. */
export type LeavingAccount = Leaving & { readonly was: 'active' | 'suspended'; readonly with: string }

export function leavingFrom(nowMs: number): Leaving {
  return { askedAt: nowMs, dueAt: nowMs + graceMs }
}

/** When it ends, however far ahead a wrong clock has put that. */
export function endOf({ dueAt }: Leaving, nowMs: number): number {
  return believed(dueAt, { nowMs, lastsMs: graceMs })
}

export function remindAt(leaving: Leaving, nowMs: number): number {
  return endOf(leaving, nowMs) - remindMs
}

export function withoutLeaving<T extends { readonly leaving?: Leaving }>({
  leaving: _,
  ...rest
}: T): Omit<T, 'leaving'> {
  return rest
}

/** As people read it, by UTC. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

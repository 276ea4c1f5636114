/**
 * Acts that a stolen session must not be enough for: they want a person who showed a moment ago who they are. A key is
 * no person, and never gets here by what it is.
 */
import { fail } from '../../base/errors.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { isStillOn } from '../stored-times.ts'
import { signIns } from './sign-in-documents.ts'

/**
 * Long enough to read and fill in a form, and as long as an access token lives: whoever copies one from a screen or a
 * log finds it no longer fresh soon after.
 */
export const freshMs = 15 * 60_000

export function isFresh(atMs: number, nowMs: number): boolean {
  return isStillOn(atMs + freshMs, { nowMs, lastsMs: freshMs })
}

/** For a sign-in service of our own, which knows the token alone. @throws auth.stale */
export async function requireFreshRecord(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { signIn, authTimeMs }: { readonly signIn?: string | undefined; readonly authTimeMs: number },
): Promise<void> {
  const record = signIn === undefined ? undefined : await store.get(signIns.ref(signIn))
  if (!isFresh(record?.data.freshAt ?? authTimeMs, clock.now())) throw fail('auth.stale')
}

/** @throws auth.stale; auth.invalid when the sign-in has ended */
export async function requireFresh(
  { clock, signIns: all }: Pick<Control, 'clock' | 'signIns'>,
  { signIn, authTimeMs = 0 }: Person,
): Promise<void> {
  if (isFresh(signIn?.freshAt ?? authTimeMs, clock.now())) return
  // They may have confirmed it a moment ago, through another process.
  if (signIn && isFresh((await all.readNow(signIn.id)).freshAt, clock.now())) return
  throw fail('auth.stale')
}

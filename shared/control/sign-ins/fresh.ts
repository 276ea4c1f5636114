/**
 * Acts that a stolen session must not be enough for: they want a person who showed a moment ago who they are. A key is
 * no person, and never gets here by what it is.
 */
import { fail } from '../../base/errors.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { isStillOn } from '../stored-times.ts'

/**
 * Long enough to read and fill in a form, and as long as an access token lives: whoever copies one from a screen or a
 * log finds it no longer fresh soon after.
 */
const freshMs = 15 * 60_000

/** @throws auth.stale; auth.invalid when the sign-in has ended */
export async function requireFresh(
  { clock, signIns }: Pick<Control, 'clock' | 'signIns'>,
  { signIn, authTimeMs = 0 }: Person,
): Promise<void> {
  const isFresh = (atMs: number) => isStillOn(atMs + freshMs, { nowMs: clock.now(), lastsMs: freshMs })
  if (isFresh(signIn?.freshAt ?? authTimeMs)) return
  // They may have confirmed it a moment ago, through another process.
  if (signIn && isFresh((await signIns.readNow(signIn.id)).freshAt)) return
  throw fail('auth.stale')
}

/** Where the operator wants it, whoever publishes something has a mail address that works. */
import { fail } from '../../base/errors.ts'
import type { Caller } from '../caller.ts'
import type { AnyControl } from '../control.ts'

/**
 * Keys are not asked: nobody got one without the proof, since the setting is on.
 * @throws auth.unverified
 */
export function requireProvenMail(
  { settings }: Pick<AnyControl, 'settings'>,
  { user }: Pick<Caller, 'user'>,
): void {
  if (settings.provenMail === true && user && !user.emailVerified)
    throw fail('auth.unverified', 'Here only people whose mail address is proven may publish something.')
}

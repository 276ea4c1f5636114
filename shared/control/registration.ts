/**
 * Who may make an account, as the operator sets it: everybody, those with an invite code (a beta), or nobody. Sign-in
 * of either platform asks `admitStranger` where it can; `accounts.ts` enforces it where accounts are made.
 */
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Control } from './control.ts'
import { requireInvite } from './invites.ts'

export type Registration = 'open' | 'beta' | 'closed'

/** As settings write it: true, beta or false. */
export const registrationSchema = z
  .union([z.boolean(), z.literal('beta'), z.stringbool()], 'true, beta or false')
  .transform((value): Registration => (value === 'beta' ? value : value ? 'open' : 'closed'))

/** Before a stranger gets a mail. @throws auth.closed, auth.invite, invite.invalid */
export async function admitStranger(
  control: Pick<Control, 'settings' | 'store' | 'clock'>,
  code: string | undefined,
): Promise<void> {
  const { registration } = control.settings
  if (registration === 'closed') throw fail('auth.closed')
  if (registration === 'open') return
  if (code === undefined) throw fail('auth.invite')
  await requireInvite(control, code)
}

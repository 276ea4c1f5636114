/** People who call the control plane in tests, and what they hear. */
import { isFailure } from '../base/errors.ts'
import { ensureAccount, readAccount } from '../control/accounts.ts'
import type { Caller } from '../control/caller.ts'
import type { Control } from '../control/control.ts'
import { personCaller } from '../control/principals.ts'

/** Signs in, for the first time. @returns the owner of the new account */
export async function signIn(
  control: Control,
  email: string,
  { plan = 'pro', from = '' }: { plan?: string | undefined; from?: string } = {},
): Promise<Caller> {
  const subject = `test:${email.replace('@', '.')}`
  const claims = { subject, email, emailVerified: true, authTimeMs: control.clock.now() }
  const { user, members } = await ensureAccount(control, claims, { plan })
  const [member] = members
  if (!member) throw new Error('an account without a member')
  const { data } = await readAccount(control, member.account)
  return personCaller(data, { person: { id: user, email, emailVerified: true }, member, from })
}

/** `done`, or the key of the failure. @throws what is no failure of ours */
export async function outcome(done: Promise<unknown>): Promise<string> {
  try {
    await done
    return 'done'
  } catch (error) {
    if (isFailure(error)) return error.key
    throw error
  }
}

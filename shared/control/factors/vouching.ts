/**
 * What follows when somebody has shown a factor. Our own sign-ins are marked. Firebase's tokens name no sign-in, only
 * the second in which it began: a thief of the password could sign in every second of a day, and one of these
 * sign-ins would share the second, and with it the mark, of the owner's. So at Firebase a shown factor begins a new
 * sign-in, by a custom token that carries a random name.
 */
import { fail } from '../../base/errors.ts'
import type { Person } from '../caller.ts'
import type { Control } from '../control.ts'
import { queries } from '../query-table.ts'
import type { ShownBy } from './showing.ts'

/** More ways of signing in than one person has. */
const waysMax = 10

/** @returns a custom token to go on with, where the sign-in itself is not marked */
export async function finishShowing(
  control: Control,
  { id, signIn }: Pick<Person, 'id' | 'signIn'>,
  by: ShownBy,
): Promise<{ readonly customToken?: string }> {
  if (!signIn) throw fail('auth.invalid')
  // One that has shown a factor before has a name of its own already.
  if (control.identity.vouch && signIn.factorAt === 0)
    return { customToken: await customTokenOf(control, id) }
  await control.signIns.confirm(signIn.id, by)
  return {}
}

/** @throws auth.passkey for a person who has no account at Firebase any more */
export async function customTokenOf({ store, identity }: Control, user: string): Promise<string> {
  const { items } = await store.query(queries.identitiesByUser, {
    where: {},
    from: user,
    to: user,
    limit: waysMax,
  })
  const subject = items.find(({ ref }) => ref.id.startsWith(`${identity.kind}:`))?.ref.id
  if (subject === undefined || !identity.vouch) throw fail('auth.passkey')
  return identity.vouch(subject)
}

/** Who has to show a factor: a sign-in of a person who has one, and members of accounts that ask for one. */
import { fail } from '../../base/errors.ts'
import { type AccountDoc, type UserDoc, users } from '../documents.ts'
import type { Store } from '../platform.ts'
import type { SignInState, SignIns } from '../sign-ins/sign-ins.ts'
import { asksForFactor } from './policy.ts'

/**
 * @returns the sign-in, read anew if it was shown through another process a moment ago
 * @throws auth.factor_needed
 */
export async function requireShown(
  signIns: Pick<SignIns, 'readNow'>,
  { hasFactor = false }: Pick<UserDoc, 'hasFactor'>,
  signIn: SignInState | undefined,
): Promise<SignInState | undefined> {
  if (!hasFactor || (signIn && signIn.factorAt > 0)) return signIn
  const latest = signIn && (await signIns.readNow(signIn.id))
  if (!latest || latest.factorAt === 0) throw fail('auth.factor_needed')
  return latest
}

export function lacksFactor(
  { factorPolicy }: Pick<AccountDoc, 'factorPolicy'>,
  { hasFactor = false }: Pick<UserDoc, 'hasFactor'>,
): boolean {
  return asksForFactor(factorPolicy) && !hasFactor
}

/**
 * For a key of a person, once the account's grace is over. Somebody who lost their factors keeps their keys: they had
 * one. Costs a read, in such accounts alone.
 * @throws auth.factor_required
 */
export async function requireMaker(
  store: Pick<Store, 'get'>,
  { factorPolicy }: Pick<AccountDoc, 'factorPolicy'>,
  { user, nowMs }: { readonly user: string; readonly nowMs: number },
): Promise<void> {
  if (!factorPolicy || factorPolicy.since === 0 || nowMs < factorPolicy.keysFrom) return
  if ((await store.get(users.ref(user)))?.data.factorSince === undefined) throw fail('auth.factor_required')
}

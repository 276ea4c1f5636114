/**
 * Signing in by a passkey alone. The authenticator must have verified its owner, so the passkey counts as both factors.
 * Whoever asks names nobody: the browser offers what it has, and the passkey says whose it is. So this tells a stranger
 * nothing about who has an account.
 */
import type { Assertion } from '../../api/schemas/factors.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { recordFailedSignIn } from '../audit/sign-ins.ts'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import { passkeyRef } from './factor-documents.ts'
import { recordUse } from './showing.ts'
import { challengeIn, handleOf, readAssertion, requestOptions, siteOf } from './webauthn.ts'

const forAnybody = { purpose: 'sign-in', user: '', signIn: '' } as const

export async function beginPasskeySignIn({ challenges, settings }: Control) {
  const challenge = await challenges.make(forAnybody)
  return requestOptions(siteOf(settings), { challenge, known: [] })
}

/**
 * @returns the person
 * @throws factor.challenge; auth.passkey for everything that is wrong with the passkey; auth.disabled
 */
export async function signInByPasskey(
  control: Control,
  assertion: Assertion,
  source: { readonly from: string; readonly userAgent?: string | undefined },
): Promise<string> {
  const { store, clock, challenges } = control
  const challenge = challengeIn(assertion.response.clientDataJSON)
  if (!(await challenges.isOurs(challenge, forAnybody))) throw fail('factor.challenge')
  const passkey = await store.get(passkeyRef(assertion.id))
  try {
    if (!passkey) throw fail('auth.passkey')
    const { user } = passkey.data
    if (assertion.response.userHandle !== handleOf(user)) throw fail('auth.passkey')
    const shown = await readAssertion(siteOf(control.settings), assertion, {
      passkey: passkey.data,
      expected: challenge,
    })
    if (!shown.isVerified) throw fail('auth.passkey', 'The passkey did not ask for your PIN, finger or face.')
    await challenges.spend(challenge, forAnybody)
    await recordUse(control, passkey, shown)
    const person = await store.get(users.ref(user))
    if (!person) throw fail('auth.passkey')
    if (person.data.status !== 'active') throw fail('auth.disabled')
    return user
  } catch (error) {
    if (isFailure(error, 'auth.disabled') || isFailure(error, 'factor.challenge') || !isFailure(error))
      throw error
    const event = { action: 'auth.failed', user: passkey?.data.user ?? '', ...source } as const
    if (['factor.wrong', 'factor.cloned', 'auth.passkey'].includes(error.key))
      await recordFailedSignIn({ store, clock }, event)
    throw isFailure(error, 'factor.wrong') ? fail('auth.passkey', undefined, { cause: error }) : error
  }
}

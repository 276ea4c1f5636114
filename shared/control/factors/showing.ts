/**
 * The second step of a sign-in: a passkey, a code of the app, or a recovery code. A right one makes the sign-in whole
 * and fresh, and ends a recovery that somebody asked for: whoever has a factor has not lost it.
 */
import type { Assertion, ShowRequest, Ways } from '../../api/schemas/factors.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { recordFailedSignIn, signInWrites } from '../audit/sign-ins.ts'
import type { Control } from '../control.ts'
import type { Snapshot } from '../platform.ts'
import { stepOf, useStep } from './app-codes.ts'
import { changeFactors, type FactorCaller, readFactors } from './changing.ts'
import { describeRecovery } from './describing.ts'
import { type FactorsDoc, factors, type PasskeyDoc, passkeyRef, passkeys } from './factor-documents.ts'
import { countGuess } from './guesses.ts'
import { endRecovery } from './recovering.ts'
import { hashOfCode } from './recovery-codes.ts'
import { challengeIn, readAssertion, requestOptions, requireRising, type Shown, siteOf } from './webauthn.ts'

/** How it was shown, as the record of the sign-in has it. */
export type ShownBy = 'passkey' | 'totp' | 'recovery'

/** What the person can show. @throws factor.none */
export async function beginShowing(control: Control, { user, signIn }: FactorCaller): Promise<Ways> {
  const { doc, passkeys } = await readFactors(control.store, user)
  if (passkeys.length === 0 && !doc.app) throw fail('factor.none')
  const recovery = describeRecovery(doc.recovery, control.clock.now())
  const ways = { app: doc.app !== undefined, codes: doc.codes.length > 0, ...recovery }
  if (passkeys.length === 0) return ways
  const challenge = await control.challenges.make({ purpose: 'show', user, signIn })
  const known = passkeys.map(({ data }) => data)
  return { ...ways, passkey: requestOptions(siteOf(control.settings), { challenge, known }) }
}

/** @throws factor.wrong, factor.challenge, factor.cloned, factor.guesses */
export async function showFactor(
  control: Control,
  by: FactorCaller,
  { assertion, code = '' }: ShowRequest,
): Promise<ShownBy> {
  const { store, clock } = control
  const { user, from, userAgent } = by
  try {
    const shown = assertion ? await showPasskey(control, by, assertion) : await showCode(control, by, code)
    const event = { action: 'factor.shown', user, from, userAgent, details: { by: shown } } as const
    await store.batch(await signInWrites(store, event, clock.now()))
    await endRecovery(control, by)
    return shown
  } catch (error) {
    if (isFailure(error, 'factor.wrong') || isFailure(error, 'factor.cloned'))
      await recordFailedSignIn({ store, clock }, { action: 'factor.failed', user, from, userAgent })
    throw error
  }
}

async function showPasskey(control: Control, by: FactorCaller, assertion: Assertion): Promise<ShownBy> {
  const { user, signIn } = by
  const purpose = { purpose: 'show', user, signIn } as const
  const challenge = challengeIn(assertion.response.clientDataJSON)
  if (!(await control.challenges.isOurs(challenge, purpose))) throw fail('factor.challenge')
  const passkey = await control.store.get(passkeyRef(assertion.id))
  if (passkey?.data.user !== user) throw fail('factor.wrong')
  const shown = await readAssertion(siteOf(control.settings), assertion, {
    passkey: passkey.data,
    expected: challenge,
  })
  await control.challenges.spend(challenge, purpose)
  await recordUse(control, passkey, shown)
  return 'passkey'
}

/**
 * When two uses say the same counter, a copy exists, and the second is refused.
 * @throws factor.cloned; factor.wrong when it was removed meanwhile
 */
export async function recordUse(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { ref }: Snapshot<PasskeyDoc>,
  { counter, isBackedUp }: Shown,
): Promise<void> {
  const usedAt = clock.now()
  const after = await store.change(passkeys.ref(ref.id), (present) => {
    if (!present) return 'keep'
    requireRising(counter, present.counter)
    return { ...present, counter, isBackedUp, usedAt }
  })
  if (!after) throw fail('factor.wrong')
}

async function showCode(control: Control, by: FactorCaller, code: string): Promise<ShownBy> {
  const hash = hashOfCode(code)
  if (hash !== undefined) {
    await useRecoveryCode(control, by, hash)
    return 'recovery'
  }
  const giveBack = await countGuess(control, by)
  await useAppCode(control, by.user, code)
  await giveBack()
  return 'totp'
}

async function useAppCode({ store, vault, clock }: Control, user: string, code: string): Promise<void> {
  const app = (await store.get(factors.ref(user)))?.data.app
  if (!app) throw fail('factor.wrong')
  const nowMs = clock.now()
  const step = await stepOf((await vault.unwrap(app.wrapped)).reveal(), code, nowMs)
  if (step === undefined) throw fail('factor.wrong')
  await store.change(factors.ref(user), (present) => {
    const used = present?.app?.wrapped === app.wrapped ? useStep(present.app, step, nowMs) : undefined
    if (!present || !used) throw fail('factor.wrong')
    return { ...present, app: used } satisfies FactorsDoc
  })
}

async function useRecoveryCode(control: Control, by: FactorCaller, hash: string): Promise<void> {
  const event = { action: 'factor.code_used', news: 'code-used', name: '' } as const
  await changeFactors(control, by, event, ({ doc, passkeys }) => {
    if (!doc.codes.includes(hash)) throw fail('factor.wrong')
    const codes = doc.codes.filter((one) => one !== hash)
    return { doc: { ...doc, codes }, passkeys: passkeys.length }
  })
}

/** Adding, naming and removing passkeys. */
import type { Attestation } from '../../api/schemas/factors.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { signInWrites } from '../audit/sign-ins.ts'
import type { Control } from '../control.ts'
import { changeFactors, type FactorCaller, passkeysMax, readFactors } from './changing.ts'
import { type PasskeyDoc, passkeyRef, passkeys } from './factor-documents.ts'
import { withFirstCodes } from './first-codes.ts'
import { requireNotLast } from './last-factor.ts'
import { challengeIn, creationOptions, readAttestation, siteOf } from './webauthn.ts'

/** Options for the browser to make one. */
export async function beginPasskey(control: Control, { user, email, signIn }: FactorCaller) {
  const { passkeys: known } = await readFactors(control.store, user)
  if (known.length >= passkeysMax) throw fail('factor.limit')
  const challenge = await control.challenges.make({ purpose: 'add', user, signIn })
  const of = known.map(({ data }) => data)
  return creationOptions(siteOf(control.settings), { challenge, user, email, known: of })
}

/**
 * @returns recovery codes, if this is the first factor
 * @throws factor.wrong, factor.challenge, factor.exists, factor.limit
 */
export async function addPasskey(
  control: Control,
  by: FactorCaller,
  { attestation, name }: { readonly attestation: Attestation; readonly name: string },
): Promise<readonly string[]> {
  const { user, signIn } = by
  const purpose = { purpose: 'add', user, signIn } as const
  const challenge = challengeIn(attestation.response.clientDataJSON)
  if (!(await control.challenges.isOurs(challenge, purpose))) throw fail('factor.challenge')
  const made = await readAttestation(siteOf(control.settings), attestation, challenge)
  await control.challenges.spend(challenge, purpose)
  const first = withFirstCodes()
  const event = { action: 'factor.added', news: 'passkey-added', name, by } as const
  try {
    await changeFactors(control, by, event, (now, nowMs) => {
      if (now.passkeys.length >= passkeysMax) throw fail('factor.limit')
      const passkey: PasskeyDoc = { ...made, user, name, createdAt: nowMs, usedAt: 0 }
      return {
        doc: first.of(now, nowMs),
        passkeys: now.passkeys.length + 1,
        write: (tx) => tx.create(passkeyRef(made.credential), passkey),
      }
    })
  } catch (error) {
    throw isFailure(error, 'store.exists') ? fail('factor.exists') : error
  }
  return first.shown()
}

/** Nobody is mailed: a name lets nobody in. @throws api.not_found */
export async function renamePasskey(
  { store, clock }: Pick<Control, 'store' | 'clock'>,
  { user, from, userAgent }: Pick<FactorCaller, 'user' | 'from' | 'userAgent'>,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<void> {
  const found = await store.get(passkeys.ref(id))
  if (found?.data.user !== user) throw fail('api.not_found')
  const details = { from: found.data.name, to: name }
  const event = { action: 'factor.renamed', user, from, userAgent, details } as const
  const told = await signInWrites(store, event, clock.now())
  await store.transact(async (tx) => {
    const latest = await tx.get(found.ref)
    if (latest?.data.user !== user) throw fail('api.not_found')
    if (latest.data.name === name) return
    tx.update(latest.ref, { name })
    for (const { ref, data } of told) tx.create(ref, data)
  })
}

/** @throws api.not_found, factor.last */
export async function removePasskey(control: Control, by: FactorCaller, id: string): Promise<void> {
  const { passkeys: known } = await readFactors(control.store, by.user)
  const found = known.find(({ ref }) => ref.id === id)
  if (!found) throw fail('api.not_found')
  const { demand } = await requireNotLast(control, by.user)
  const event = { action: 'factor.removed', news: 'passkey-removed', name: found.data.name, by } as const
  await changeFactors(control, by, event, (now) => {
    const left = now.passkeys.filter(({ ref }) => ref.id !== id)
    if (left.length === now.passkeys.length) throw fail('api.not_found')
    const doc = demand({ doc: now.doc, passkeys: left })
    return { doc, passkeys: left.length, write: (tx) => tx.delete(passkeys.ref(id)) }
  })
}

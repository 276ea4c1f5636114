/** Setting up and removing an authenticator app. A person has one; a second phone can scan the same QR code. */
import { fail } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { Control } from '../control.ts'
import { newAppSecret, stepOf } from './app-codes.ts'
import { changeFactors, type FactorCaller } from './changing.ts'
import { factors, noFactors } from './factor-documents.ts'
import { withFirstCodes } from './first-codes.ts'
import { countGuess } from './guesses.ts'
import { requireNotLast } from './last-factor.ts'
import { newCodes } from './recovery-codes.ts'

/** Time to install an app. After that the QR code has to be made anew. */
const setUpMs = 60 * 60_000

/** Shown once. The present app stays until the new one has proved itself. */
export async function beginApp({ store, vault, clock, settings }: Control, { user, email }: FactorCaller) {
  const made = await newAppSecret(email, issuerOf(settings))
  const wrapped = await vault.wrap(new Secret(made.secret))
  const nextApp = { wrapped, createdAt: clock.now() }
  await store.change(factors.ref(user), (doc) => ({ ...(doc ?? noFactors(user)), nextApp }))
  return made
}

/** Two servers of one person differ in their app by the host. */
function issuerOf({ consoleUrl }: { readonly consoleUrl: string }): string {
  return `PortTunneler ${new URL(consoleUrl).host}`.replaceAll(':', ' ')
}

/**
 * @returns recovery codes, if this is the first factor
 * @throws factor.wrong, factor.guesses; factor.challenge when no app is being set up
 */
export async function confirmApp(
  control: Control,
  by: FactorCaller,
  code: string,
): Promise<readonly string[]> {
  const { store, vault, clock } = control
  const giveBack = await countGuess(control, by)
  const pending = (await store.get(factors.ref(by.user)))?.data.nextApp
  const isOver = pending === undefined || clock.now() - pending.createdAt > setUpMs
  if (isOver) throw fail('factor.challenge', 'No authenticator app is being set up, or its hour is over.')
  const secret = await vault.unwrap(pending.wrapped)
  const step = await stepOf(secret.reveal(), code, clock.now())
  if (step === undefined) throw fail('factor.wrong')
  await giveBack()
  const first = withFirstCodes()
  const event = { action: 'factor.added', news: 'app-added', by } as const
  await changeFactors(control, by, event, (now, nowMs) => {
    if (now.doc.nextApp?.wrapped !== pending.wrapped) throw fail('factor.challenge')
    const { nextApp: _, ...doc } = first.of(now, nowMs)
    const app = { wrapped: pending.wrapped, createdAt: nowMs, usedAt: nowMs, usedSteps: [step] }
    return { doc: { ...doc, app }, passkeys: now.passkeys.length }
  })
  return first.shown()
}

/** @throws api.not_found, factor.last */
export async function removeApp(control: Control, by: FactorCaller): Promise<void> {
  const { demand } = await requireNotLast(control, by.user)
  const event = { action: 'factor.removed', news: 'app-removed', by } as const
  await changeFactors(control, by, event, (now) => {
    const { app, nextApp: _, ...rest } = now.doc
    if (!app) throw fail('api.not_found')
    return { doc: demand({ doc: rest, passkeys: now.passkeys }), passkeys: now.passkeys.length }
  })
}

/** New recovery codes; the earlier ones are void. @throws factor.none without a factor that they could stand in for */
export async function renewCodes(control: Control, by: FactorCaller): Promise<readonly string[]> {
  const made = newCodes()
  const event = { action: 'factor.codes', news: 'codes-renewed', by } as const
  await changeFactors(control, by, event, (now, nowMs) => {
    if (now.doc.app === undefined && now.passkeys.length === 0) throw fail('factor.none')
    const doc = { ...now.doc, codes: made.hashes, codesAt: nowMs }
    return { doc, passkeys: now.passkeys.length }
  })
  return made.codes
}

/**
 * The API's part of sign-in when Firebase does it: ending sessions, at the same address as everywhere. Signing in,
 * refreshing and passwords are between the console and Firebase.
 */
import { bearerIn, bearerOf } from '@porttunneler/shared/api/bearer'
import { jsonAnswer, jsonBody, RouteGroup, route } from '@porttunneler/shared/api/kit'
import { confirmByTokenSchema, logoutSchema } from '@porttunneler/shared/api/schemas/accounts'
import { passkeySignInSchema } from '@porttunneler/shared/api/schemas/factors'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Control } from '@porttunneler/shared/control/control'
import { identities, users } from '@porttunneler/shared/control/documents'
import { lookToEndKeys } from '@porttunneler/shared/control/earlier-keys'
import { signInByPasskey } from '@porttunneler/shared/control/factors/passkey-sign-in'
import { customTokenOf } from '@porttunneler/shared/control/factors/vouching'
import type { Store } from '@porttunneler/shared/control/platform'
import { isFresh } from '@porttunneler/shared/control/sign-ins/fresh'
import { signIns } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import type { Context } from 'hono'
import { z } from 'zod'
import type { FirebaseAccounts } from './firebase-accounts.ts'
import type { FirebaseIdentity } from './identity.firebase.ts'

export type FirebaseRoutesOptions = {
  readonly identity: FirebaseIdentity
  readonly accounts: FirebaseAccounts
  readonly store: Store
  readonly clock: Clock
  /** Notes that the person of this sign-in has shown again who they are. */
  readonly confirm: (signIn: string) => Promise<unknown>
  /** Tells workers about jobs that were just requested. */
  readonly kick: (ids: readonly string[]) => Promise<void>
  /** For the routes that need more than documents. */
  readonly control: Control
  readonly addressOf: (context: Context) => string
}

export function firebaseRoutes(options: FirebaseRoutesOptions): RouteGroup {
  const { control, addressOf } = options
  return new RouteGroup()
    .add(passkey, async (c) => {
      const source = { from: addressOf(c), userAgent: c.req.header('user-agent') }
      const user = await signInByPasskey(control, c.req.valid('json').assertion, source)
      return c.json({ customToken: await customTokenOf(control, user) }, 200)
    })
    .add(confirm, async (c) => {
      const { token } = c.req.valid('json')
      await confirmBy(options, { bearer: bearerOf(authorizationOf(c)), token })
      return c.body(null, 204)
    })
    .add(logout, async (c) => {
      const bearer = bearerIn(authorizationOf(c))
      const { everywhere, endKeys = false } = c.req.valid('json')
      if (everywhere) await endSessions(options, { bearer: bearer ?? '', endKeys })
      else if (bearer !== undefined) await endOne(options, bearer)
      return c.body(null, 204)
    })
}

const authorizationOf = (c: Context) => c.req.header('authorization')

/**
 * The person signed in once more at Firebase, which shows that it is still them. That second sign-in serves for nothing
 * else and ends here, so its token confirms once; one that is in use already is no proof of anything new.
 * @throws auth.invalid, auth.stale, auth.other_person
 */
async function confirmBy(
  { identity, store, clock, confirm: note }: FirebaseRoutesOptions,
  { bearer, token }: { readonly bearer: string; readonly token: string },
): Promise<void> {
  const [here, again] = [await identity.verify(bearer), await identity.verify(token)]
  const { signIn = '' } = here
  const { signIn: proof = '' } = again
  if (again.subject !== here.subject) throw fail('auth.other_person')
  const user = (await store.get(identities.ref(here.subject)))?.data.user ?? ''
  if (user !== '' && (await store.get(users.ref(user)))?.data.hasFactor) throw fail('auth.factor_needed')
  const isNew = again.authTimeMs > here.authTimeMs && isFresh(again.authTimeMs, clock.now())
  if (!isNew || (await store.get(signIns.ref(proof)))) throw fail('auth.stale')
  await identity.endSignIns([proof])
  await note(signIn)
}

/** An invalid token has no sign-in to end. */
async function endOne({ identity }: FirebaseRoutesOptions, bearer: string): Promise<void> {
  try {
    await identity.endSignIn(bearer)
  } catch (error) {
    if (!isFailure(error, 'auth.invalid')) throw error
  }
}

/** Firebase first: if that fails nothing has ended, and the caller is told. */
async function endSessions(
  { identity, accounts, store, clock, kick }: FirebaseRoutesOptions,
  { bearer, endKeys }: { readonly bearer: string; readonly endKeys: boolean },
): Promise<void> {
  const { subject } = await identity.verify(bearer)
  await accounts.revoke(subject.slice('firebase:'.length))
  const user = (await store.get(identities.ref(subject)))?.data.user
  if (user === undefined) return
  // Firebase records sign-ins by the second, so one that began in this second ends too.
  const since = (Math.floor(clock.now() / 1_000) + 1) * 1_000
  const jobs = await store.transact(async (tx) => {
    const doc = await tx.get(users.ref(user))
    const ask = endKeys ? await lookToEndKeys(tx, { user, sinceMs: since }, clock.now()) : undefined
    if (!doc) return []
    if (since > doc.data.validSince) tx.update(doc.ref, { validSince: since })
    return ask ? [ask()] : []
  })
  identity.noteAllEnded(subject, since)
  await kick(jobs)
}

const passkey = route({
  access: { public: 'The passkey in the body is the proof.' },
  method: 'post',
  path: '/v1/auth/passkey',
  operationId: 'signInWithPasskey',
  summary: 'Sign in with a passkey alone',
  description: 'It has to verify its owner by PIN, finger or face, and then counts as both factors.',
  tags: ['Sign-in'],
  request: jsonBody(passkeySignInSchema),
  bodyBytesMax: 32 * 1024,
  responses: { 200: jsonAnswer(z.object({ customToken: z.string() }), 'For signInWithCustomToken') },
})

const confirm = route({
  access: { public: 'The two tokens are the proof.', bearer: 'required' },
  method: 'post',
  path: '/v1/auth/confirm',
  operationId: 'confirmSignIn',
  summary: 'Confirm that it is still you, for calls that want a fresh sign-in',
  description:
    'Sign in at Firebase once more and send the ID token of that sign-in, which ends by this. Confirmed for 15 minutes, in ' +
    'the session of the bearer alone.',
  tags: ['Sign-in'],
  request: jsonBody(confirmByTokenSchema),
  responses: { 204: { description: 'Confirmed' } },
})

const logout = route({
  access: { public: 'Ends only the sessions of the token that it brings.', bearer: 'optional' },
  method: 'post',
  path: '/v1/auth/logout',
  operationId: 'logout',
  summary: 'End this sign-in, or all of them',
  description: 'Ends the sign-in here, for its remaining tokens; the device also has to forget it.',
  tags: ['Sign-in'],
  request: jsonBody(logoutSchema),
  responses: { 204: { description: 'Signed out' } },
})

/**
 * What the API has of sign-in where Firebase does it: ending sessions, at the same address as everywhere. Signing in,
 * refreshing and passwords are between the console and Firebase.
 */
import { jsonBody, RouteGroup, route } from '@porttunneler/shared/api/kit'
import { logoutSchema } from '@porttunneler/shared/api/schemas/accounts'
import type { Clock } from '@porttunneler/shared/base/clock'
import { identities, users } from '@porttunneler/shared/control/documents'
import type { Store } from '@porttunneler/shared/control/platform'
import type { FirebaseAccounts } from './firebase-accounts.ts'
import type { FirebaseIdentity } from './identity.firebase.ts'

export type FirebaseRoutesOptions = {
  readonly identity: FirebaseIdentity
  readonly accounts: FirebaseAccounts
  readonly store: Store
  readonly clock: Clock
}

export function firebaseRoutes(options: FirebaseRoutesOptions): RouteGroup {
  return new RouteGroup().add(logout, async (c) => {
    const bearer = /^Bearer ([\x21-\x7e]+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (c.req.valid('json').everywhere) await endSessions(options, bearer ?? '')
    return c.body(null, 204)
  })
}

/** Firebase first: if it fails nothing has ended, and the caller is told so. */
async function endSessions({ identity, accounts, store, clock }: FirebaseRoutesOptions, bearer: string) {
  const { subject } = await identity.verify(bearer)
  await accounts.revoke(subject.slice('firebase:'.length))
  const user = (await store.get(identities.ref(subject)))?.data.user
  if (user === undefined) return
  // Sign-ins are known to the second, so what began in this one ends with it.
  const since = (Math.floor(clock.now() / 1_000) + 1) * 1_000
  await store.change(users.ref(user), (doc) =>
    doc && since > doc.validSince ? { ...doc, validSince: since } : 'keep',
  )
}

const logout = route({
  access: { public: 'Ends only the sessions of the token that it brings.', bearer: 'optional' },
  method: 'post',
  path: '/v1/auth/logout',
  operationId: 'logout',
  summary: 'End all sessions',
  description: 'A single session ends where it is kept: its device forgets it.',
  tags: ['Sign-in'],
  request: jsonBody(logoutSchema),
  responses: { 204: { description: 'Signed out' } },
})

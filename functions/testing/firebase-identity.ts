/** A Firebase identity with a clock that the test moves, and its own issuer and accounts. */
import { createHash } from 'node:crypto'
import { fail } from '@porttunneler/shared/base/errors'
import type { Store } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import type { JWTPayload } from 'jose'
import { openSqliteStore } from '../../standalone/platform/store.sqlite.ts'
import type { AccountState, FirebaseAccounts } from '../platform/firebase-accounts.ts'
import { firebaseIdentity } from '../platform/identity.firebase.ts'
import { startGoogleIssuer } from './google-issuer.ts'

export const testProject = 'tunnels-prod'

/** @param given the control plane's store; default: its own */
export async function makeFirebaseIdentity(given?: Store) {
  const store = given ?? openSqliteStore(':memory:', { queries: queryTable })
  const clock = new FakeClock()
  const issuer = await startGoogleIssuer()
  const states = new Map<string, AccountState>()
  let asked = 0
  let failure: Error | undefined
  const accounts: FirebaseAccounts = {
    read: async (uid) => {
      asked++
      if (failure) throw failure
      return states.get(uid)
    },
    move: async (uid, email) => {
      if (failure) throw failure
      if (states.has(uidOf(email)) && uidOf(email) !== uid) throw fail('auth.taken')
    },
    remove: async (uid) => {
      if (failure) throw failure
      states.delete(uid)
    },
    // What Firebase does with it: the claims come back in each ID token.
    makeToken: async (uid, claims) => JSON.stringify({ uid, claims }),
    revoke: async (uid) => void states.set(uid, { isDisabled: false, validSinceMs: clock.now() }),
  }
  const uidOf = (email: string) => createHash('sha256').update(email).digest('base64url').slice(0, 28)
  /** Firebase's claims in an ID token, for a person who just signed in with a password. */
  const claimsOf = (email: string, changes: JWTPayload = {}): JWTPayload => {
    const now = Math.floor(clock.now() / 1_000)
    const uid = uidOf(email)
    return {
      iss: `https://securetoken.google.com/${testProject}`,
      aud: testProject,
      auth_time: now,
      user_id: uid,
      sub: uid,
      iat: now,
      exp: now + 3_600,
      email,
      email_verified: false,
      firebase: { identities: { email: [email] }, sign_in_provider: 'password' },
      ...changes,
    }
  }
  const another = () =>
    firebaseIdentity({ projectId: testProject, accounts, store, clock, jwksUrl: issuer.jwksUrl })
  return {
    clock,
    issuer,
    accounts,
    store,
    uidOf,
    claimsOf,
    identity: another(),
    /** The same in another process. */
    another,
    /** Also makes the account if there is none. */
    tokenOf: async (email: string, changes: JWTPayload = {}) => {
      const claims = claimsOf(email, changes)
      const uid = claims.sub ?? ''
      if (!states.has(uid)) states.set(uid, { isDisabled: false, validSinceMs: 0 })
      return issuer.sign(claims)
    },
    setState: (email: string, state: AccountState | undefined) => {
      if (state) states.set(uidOf(email), state)
      else states.delete(uidOf(email))
    },
    /** How often accounts were looked up. */
    asked: () => asked,
    failWith: (error: Error | undefined) => {
      failure = error
    },
    async close() {
      await issuer.close()
      if (!given) await store.close()
    },
  }
}

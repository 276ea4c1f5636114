/**
 * What Firebase knows of an account beyond its tokens, through firebase-admin: whether it is disabled, from when its
 * sign-ins count, how to end them, and how to delete it. It uses the function's own service account (roles:
 * docs/cloud.md). The first call loads the SDK, so a function that never calls starts without it.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { within } from './deadline.ts'

export type AccountState = {
  readonly isDisabled: boolean
  /** Sign-ins before this do not count, ms. */
  readonly validSinceMs: number
}

export interface FirebaseAccounts {
  /** undefined when there is no such account. @throws cloud.unavailable */
  read(uid: string): Promise<AccountState | undefined>
  /** Ends every session: refresh tokens are refused from now on. @throws cloud.unavailable */
  revoke(uid: string): Promise<void>
  /**
   * A token to sign in with, within the hour, that puts `claims` into each ID token of the sign-in. Google signs
   * it in the name of the function's own account. @throws cloud.unavailable
   */
  makeToken(uid: string, claims: { readonly [name: string]: string | number }): Promise<string>
  /** Gives the account another address, confirmed. @throws auth.taken, cloud.unavailable */
  move(uid: string, email: string): Promise<void>
  /** Deletes the account; deleting it again does nothing. @throws cloud.unavailable */
  remove(uid: string): Promise<void>
}

const deadlineMs = 5_000

export function openFirebaseAccounts({
  projectId,
  clock,
}: {
  readonly projectId: string
  readonly clock: Clock
}): FirebaseAccounts {
  let auth: Promise<Auth> | undefined
  const ask = async <T>(call: (auth: Auth) => Promise<T>): Promise<T | undefined> => {
    auth ??= openAuth(projectId)
    try {
      return await within(clock, deadlineMs, auth.then(call))
    } catch (cause) {
      if (codeOf(cause) === 'auth/user-not-found') return undefined
      if (codeOf(cause) === 'auth/email-already-exists') throw fail('auth.taken', undefined, { cause })
      throw fail('cloud.unavailable', 'Firebase did not do what was asked of it for an account.', { cause })
    }
  }
  return {
    read: (uid) =>
      ask(async (auth) => {
        const { disabled, tokensValidAfterTime } = await auth.getUser(uid)
        return {
          isDisabled: disabled,
          validSinceMs: tokensValidAfterTime ? Date.parse(tokensValidAfterTime) : 0,
        }
      }),
    makeToken: async (uid, claims) => {
      const token = await ask((auth) => auth.createCustomToken(uid, claims))
      if (token === undefined) throw fail('cloud.unavailable', 'Firebase made no token for an account.')
      return token
    },
    move: async (uid, email) =>
      void (await ask((auth) => auth.updateUser(uid, { email, emailVerified: true }))),
    remove: async (uid) => void (await ask((auth) => auth.deleteUser(uid))),
    revoke: async (uid) => void (await ask((auth) => auth.revokeRefreshTokens(uid))),
  }
}

type Auth = import('firebase-admin/auth').Auth

async function openAuth(projectId: string): Promise<Auth> {
  const [{ getApps, initializeApp }, { getAuth }] = await Promise.all([
    import('firebase-admin/app'),
    import('firebase-admin/auth'),
  ])
  const known = getApps().find(({ name }) => name === projectId)
  return getAuth(known ?? initializeApp({ projectId }, projectId))
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

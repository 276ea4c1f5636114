/**
 * Identity on Firebase Auth. ID tokens are checked here, offline, with Google's published keys. We ask Firebase at most
 * every five minutes for each person whether the account still exists and is not disabled. A sign-in that ended here is
 * refused, though its ID token lives for an hour and Firebase would renew it. Roles are never taken from claims. What
 * the token says about the address is passed on; the domain refuses an unconfirmed one.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { hashSecret } from '@porttunneler/shared/base/ids'
import { EndedSignIns } from '@porttunneler/shared/control/ended-sign-ins'
import type { Identity, IdentityClaims, Store } from '@porttunneler/shared/control/platform'
import { signInMsMax } from '@porttunneler/shared/control/sign-ins/beginning'
import type { SignInMethod } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import { z } from 'zod'
import { AccountStates } from './firebase-account-states.ts'
import type { FirebaseAccounts } from './firebase-accounts.ts'
import { signedTokenReader, type TokenReader, unsignedTokenReader } from './google-tokens.ts'

const firebaseJwksUrl =
  'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'
/** From our word that a factor was shown to Firebase's sign-in with it; the console does both at once. */
const vouchedSeconds = 120
/** Nobody has this id: Firebase gives people 28 characters. */
const nobody = 'health'
/** How far our clock may be behind Google's. */
const skewMs = 60_000
/** Firebase's sessions have no end; a sign-in is refused when it is as old as this (sign-ins.ts). */
const endedMs = signInMsMax

export type FirebaseIdentityOptions = {
  readonly projectId: string
  readonly accounts: FirebaseAccounts
  /** Stores ended sign-ins. */
  readonly store: Pick<Store, 'get' | 'batch'>
  readonly clock: Clock
  /** Accepts unsigned tokens. Only ever set from what `readEnvironment` says about an emulator. */
  readonly isEmulated?: boolean
  /** Only different in tests. */
  readonly jwksUrl?: string
  readonly keysDeadlineMs?: number
}

const claimsSchema = z.object({
  /** Firebase's own ids have 28 characters; ids from custom tokens have to fit our documents. */
  sub: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/),
  email: z.string().min(3).max(254).optional(),
  email_verified: z.boolean().default(false),
  auth_time: z.int().min(0),
  /** Only tokens that we made can have them: see `vouch`. */
  ptun_sign_in: z
    .string()
    .regex(/^[\w-]{43}$/)
    .optional(),
  ptun_shown_at: z.int().optional(),
  firebase: z.object({ sign_in_provider: z.string().max(100).default('') }).optional(),
})

export interface FirebaseIdentity extends Identity {
  readonly kind: 'firebase'
  /** @throws auth.invalid, auth.disabled, auth.no_address, cloud.unavailable */
  verify(token: string): Promise<IdentityClaims>
  /** Ends a token's sign-in, and so all tokens that Firebase makes of it. @throws as verify */
  endSignIn(token: string): Promise<void>
  /** Every sign-in before `sinceMs` has ended; other processes read that in the person's document. */
  noteAllEnded(subject: string, sinceMs: number): void
}

export function firebaseIdentity(options: FirebaseIdentityOptions): FirebaseIdentity {
  const { accounts, store, clock } = options
  const read = makeReader(options)
  const states = new AccountStates(accounts, clock)
  const ended = new EndedSignIns(store, clock)
  const endAll = async (ids: readonly string[]) => {
    for (const id of ids) {
      await store.batch(ended.writes(id, endedMs))
      ended.note(id)
    }
  }
  return {
    kind: 'firebase',
    async verify(token) {
      const claims = await readClaims(read, token)
      const { sub, email, email_verified, auth_time, firebase } = claims
      const authTimeMs = auth_time * 1_000
      const signIn = signInOf(claims)
      if (authTimeMs > clock.now() + skewMs) throw fail('auth.invalid')
      await ended.check(signIn, { person: `firebase:${sub}`, authTimeMs })
      const state = await states.read(sub)
      if (!state || authTimeMs < state.validSinceMs) throw fail('auth.invalid')
      if (state.isDisabled) throw fail('auth.disabled')
      if (email === undefined) throw fail('auth.no_address')
      const method = methodOf(firebase?.sign_in_provider)
      return {
        subject: `firebase:${sub}`,
        email,
        emailVerified: email_verified,
        authTimeMs,
        signIn,
        method,
        hasShownFactor: wasVouchedFor(claims),
      }
    },
    vouch(subject) {
      const shown_at = Math.floor(clock.now() / 1_000)
      const name = randomBytes(32).toString('base64url')
      return accounts.makeToken(subject.slice('firebase:'.length), {
        ptun_sign_in: name,
        ptun_shown_at: shown_at,
      })
    },
    async endSignIn(token) {
      await endAll([signInOf(await readClaims(read, token))])
    },
    endSignIns: endAll,
    async check() {
      await accounts.read(nobody)
    },
    noteAllEnded: (subject, sinceMs) => ended.noteAll(subject, sinceMs),
    async moveAddress({ subjects, to }) {
      for (const subject of subjects) {
        const [kind, uid] = subject.split(':')
        if (kind === 'firebase' && uid) await accounts.move(uid, to)
      }
    },
    async forget({ subjects }) {
      for (const subject of subjects) {
        const [kind, uid] = subject.split(':')
        if (kind === 'firebase' && uid) await accounts.remove(uid)
      }
    },
  }
}

type Claims = z.infer<typeof claimsSchema>

/**
 * Firebase's tokens name no session; all tokens of one sign-in have its second. Sign-ins of one second would be one, so
 * those that count for more, because a factor was shown, have a name of ours as well.
 */
function signInOf({ sub, auth_time, ptun_sign_in }: Claims): string {
  return hashSecret(
    ptun_sign_in === undefined ? `${sub}:${auth_time}` : `${sub}:${auth_time}:${ptun_sign_in}`,
  )
}

/** A token of ours is good for an hour; ours counts only for a sign-in that follows at once. */
function wasVouchedFor({ auth_time, ptun_sign_in, ptun_shown_at = 0, firebase }: Claims): boolean {
  const isOurs = ptun_sign_in !== undefined && firebase?.sign_in_provider === 'custom'
  return isOurs && Math.abs(auth_time - ptun_shown_at) <= vouchedSeconds
}

/** `custom` is a token that we made for a sign-in of our own. */
function methodOf(provider = ''): SignInMethod {
  if (provider === 'password' || provider === 'custom') return provider
  const [, name] = /^(?:oidc\.)?([a-z0-9.-]{1,60})$/.exec(provider) ?? []
  if (name) return `oidc:${name}`
  return 'other'
}

function makeReader({
  projectId,
  clock,
  isEmulated = false,
  jwksUrl = firebaseJwksUrl,
  keysDeadlineMs,
}: FirebaseIdentityOptions): TokenReader {
  const rules = { issuer: `https://securetoken.google.com/${projectId}`, audience: projectId, clock }
  if (!isEmulated) return signedTokenReader({ ...rules, jwksUrl, deadlineMs: keysDeadlineMs })
  if (!projectId.startsWith('demo-')) throw fail('cloud.emulator', `Project ${projectId} is a real one.`)
  return unsignedTokenReader(rules)
}

async function readClaims(read: TokenReader, token: string): Promise<Claims> {
  try {
    return claimsSchema.parse(await read(token))
  } catch (cause) {
    if (isFailure(cause, 'cloud.unavailable')) throw cause
    throw fail('auth.invalid', undefined, { cause })
  }
}

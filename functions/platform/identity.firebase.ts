/**
 * Identity on Firebase Auth. ID tokens are checked here, offline, with Google's published keys; that an account still
 * exists and is not disabled is asked of Firebase at most every five minutes a person. Roles are never taken from
 * claims. What the token says of the address is passed on; the domain refuses one that is not confirmed.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import type { Identity, IdentityClaims } from '@porttunneler/shared/control/platform'
import { z } from 'zod'
import { AccountStates } from './firebase-account-states.ts'
import type { FirebaseAccounts } from './firebase-accounts.ts'
import { signedTokenReader, type TokenReader, unsignedTokenReader } from './google-tokens.ts'

const firebaseJwksUrl =
  'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'
/** A clock of ours may be behind Google's by this much. */
const skewMs = 60_000

export type FirebaseIdentityOptions = {
  readonly projectId: string
  readonly accounts: FirebaseAccounts
  readonly clock: Clock
  /** Accepts unsigned tokens. Only ever what `readEnvironment` says about an emulator. */
  readonly isEmulated?: boolean
  /** Others in tests only. */
  readonly jwksUrl?: string
  readonly keysDeadlineMs?: number
}

const claimsSchema = z.object({
  /** Firebase's own ids have 28 characters; ids given by custom tokens have to fit our documents. */
  sub: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/),
  email: z.string().min(3).max(254).optional(),
  email_verified: z.boolean().default(false),
  auth_time: z.int().min(0),
})

export interface FirebaseIdentity extends Identity {
  readonly kind: 'firebase'
  /** @throws auth.invalid, auth.disabled, auth.no_address, cloud.unavailable */
  verify(token: string): Promise<IdentityClaims>
}

export function firebaseIdentity(options: FirebaseIdentityOptions): FirebaseIdentity {
  const { accounts, clock } = options
  const read = makeReader(options)
  const states = new AccountStates(accounts, clock)
  return {
    kind: 'firebase',
    async verify(token) {
      const { sub, email, email_verified, auth_time } = await readClaims(read, token)
      const authTimeMs = auth_time * 1_000
      if (authTimeMs > clock.now() + skewMs) throw fail('auth.invalid')
      const state = await states.read(sub)
      if (!state || authTimeMs < state.validSinceMs) throw fail('auth.invalid')
      if (state.isDisabled) throw fail('auth.disabled')
      if (email === undefined) throw fail('auth.no_address')
      return { subject: `firebase:${sub}`, email, emailVerified: email_verified, authTimeMs }
    },
    async forget() {},
  }
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

async function readClaims(read: TokenReader, token: string): Promise<z.infer<typeof claimsSchema>> {
  try {
    return claimsSchema.parse(await read(token))
  } catch (cause) {
    if (isFailure(cause, 'cloud.unavailable')) throw cause
    throw fail('auth.invalid', undefined, { cause })
  }
}

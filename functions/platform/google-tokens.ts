/**
 * Tokens that Google signs: RS256, keys from a JWKS address, of one issuer and for one audience. For people
 * (identity.firebase) and for machines (relay-identity.google). Keys are kept for an hour and fetched again, at most
 * every 30 s, for an unknown key id; while there are no keys, every token is refused.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  UnsecuredJWT,
} from 'jose'

/** Google's tokens have about 1,200 characters; custom claims may add 1,000. */
const tokenLengthMax = 4_096
const keysDeadlineMs = 5_000
const keysMs = 3_600_000
const refetchMs = 30_000

export type TokenRules = {
  readonly issuer: string
  readonly audience: string
  readonly clock: Clock
}

/** Resolves to the claims of a genuine token; rejects with an Error for all others. */
export type TokenReader = (token: string) => Promise<JWTPayload>

/** Rejects with cloud.unavailable when the keys cannot be fetched, and with another Error for an invalid token. */
export function signedTokenReader({
  jwksUrl,
  issuer,
  audience,
  clock,
  deadlineMs = keysDeadlineMs,
}: TokenRules & { readonly jwksUrl: string; readonly deadlineMs?: number | undefined }): TokenReader {
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: deadlineMs,
    cacheMaxAge: keysMs,
    cooldownDuration: refetchMs,
  })
  const keyOf: JWTVerifyGetKey = async (header, token) => {
    // Without an id any of the keys would do; Google always names one.
    if (header.kid === undefined) throw new errors.JWKSNoMatchingKey()
    try {
      return await keys(header, token)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey) throw cause
      throw fail('cloud.unavailable', 'The keys that tokens are checked with cannot be fetched.', { cause })
    }
  }
  return async (token) => {
    checkForm(token)
    const currentDate = new Date(clock.now())
    const rules = {
      issuer,
      audience,
      currentDate,
      algorithms: ['RS256'],
      requiredClaims: ['exp', 'iat', 'sub'],
    }
    return (await jwtVerify(token, keyOf, rules)).payload
  }
}

/** Only for an emulator: its tokens have no signature, so anybody who can reach it can be anybody. */
export function unsignedTokenReader({ issuer, audience, clock }: TokenRules): TokenReader {
  return async (token) =>
    UnsecuredJWT.decode(token, { issuer, audience, currentDate: new Date(clock.now()) }).payload
}

/** Base64url has several spellings of the same bytes; only one of them is the token that was signed. */
function checkForm(token: string): void {
  const parts = token.length <= tokenLengthMax ? token.split('.') : []
  const isCanonical = parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
  if (parts.length !== 3 || !isCanonical) throw new errors.JWTInvalid('not a compact token')
}

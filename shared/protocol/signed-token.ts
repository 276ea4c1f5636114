/**
 * What all tokens of the control plane have in common: Ed25519 signatures by keys that relays were told about. RFC
 * 7519.
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { limits } from './limits.ts'

type TicketKeys = JSONWebKeySet

export type TokenCheck = {
  readonly keys: TicketKeys
  /** The signer of these keys. Control planes up to 0.1 do not send it; then it is not compared. */
  readonly issuer?: string | undefined
  /** Wall time as the server has corrected it. */
  readonly nowMs: number
  /** Tolerance at both ends. */
  readonly skewMs?: number
}

type FindKey = ReturnType<typeof createLocalJWKSet>
/** Imported keys, for each set: an agent may bring a thousand tickets at once. */
const finders = new WeakMap<TicketKeys, FindKey>()

/** Checks signature, issuer, audience and times. Callers do not tell strangers what is wrong. */
export async function verifyToken(
  token: string,
  { keys, issuer, nowMs, skewMs = limits.skewMs }: TokenCheck,
  expected: { readonly audience: string; readonly typ?: string },
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, finderOf(keys), {
    algorithms: ['EdDSA'],
    requiredClaims: ['exp', 'iat', 'sub', 'iss'],
    currentDate: new Date(nowMs),
    clockTolerance: skewMs / 1000,
    ...(issuer !== undefined && { issuer }),
    ...expected,
  })
  return payload
}

/** `keys` is replaced as a whole when it changes, and never written to. */
function finderOf(keys: TicketKeys): FindKey {
  const known = finders.get(keys)
  if (known) return known
  const made = createLocalJWKSet(keys)
  finders.set(keys, made)
  return made
}

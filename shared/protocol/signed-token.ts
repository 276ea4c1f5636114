/** What the tokens of the control plane have in common: Ed25519 signatures by keys that relays were told. RFC 7519. */
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { limits } from './limits.ts'

type TicketKeys = JSONWebKeySet

export type TokenCheck = {
  readonly keys: TicketKeys
  /** Who signs with these keys. Control planes up to 0.1 do not say it: then it is not compared. */
  readonly issuer?: string | undefined
  /** Server-corrected wall time. */
  readonly nowMs: number
  /** Allowed on both ends. */
  readonly skewMs?: number
}

type FindKey = ReturnType<typeof createLocalJWKSet>
/** Imported keys, by the set they came in: an agent may bring a thousand tickets at once. */
const finders = new WeakMap<TicketKeys, FindKey>()

/** Checks signature, issuer, audience and times. Callers tell strangers nothing of what is wrong. */
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

/** `keys` is replaced as a whole when it changes, never written to. */
function finderOf(keys: TicketKeys): FindKey {
  const known = finders.get(keys)
  if (known) return known
  const made = createLocalJWKSet(keys)
  finders.set(keys, made)
  return made
}

/**
 * The ES256 keys of access tokens. A key is published two days before it signs, signs for 30 days, and stays published
 * until its last token has expired, so a reader who caches the JWKS for a day never meets an unknown key. The ring is
 * maintained whenever it is used; there is no timer.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import type { KeyVault, Store } from '@porttunneler/shared/control/platform'
import { isAhead } from '@porttunneler/shared/control/stored-times'
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import { z } from 'zod'
import { type AccessKey, type KeyRingDoc, keyRings } from './identity.local.documents.ts'

const day = 86_400_000
export const keyTimes = {
  publishedBeforeMs: 2 * day,
  usedMs: 30 * day,
  /** Longer than the longest token and any clock skew. */
  verifiableAfterMs: 3_600_000,
  /** Another process may have rotated, so read the ring again, but for unknown key ids at most this often. */
  reloadMs: 30_000,
} as const

const alg = 'ES256'
const audience = 'porttunneler-api'
const tokenType = 'at+jwt'
const ringRef = keyRings.ref('access')

const publicKeySchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  kid: z.string(),
  alg: z.literal(alg),
  use: z.literal('sig'),
})
export const publicKeysSchema = z.object({ keys: z.array(publicKeySchema) })
export type PublicKeys = z.infer<typeof publicKeysSchema>

type Ring = {
  readonly doc: KeyRingDoc
  /** Monotonic time. */
  readonly loadedAt: number
  readonly jwks: PublicKeys
  readonly keyOf: ReturnType<typeof createLocalJWKSet>
}
type PrivateKey = Awaited<ReturnType<typeof importJWK>>

/** What an access token says of a person. */
const claimsSchema = z.object({
  sub: z.string(),
  email: z.string(),
  email_verified: z.boolean(),
  auth_time: z.number(),
  /** The session; tokens of earlier releases, which live for 15 minutes, omit it. */
  sid: z.string().optional(),
})

export class AccessKeys {
  readonly #store: Store
  readonly #vault: KeyVault
  readonly #clock: Clock
  readonly #issuer: string
  readonly #unwrapped = new Map<string, PrivateKey>()
  #ring: Ring | undefined

  constructor(options: {
    readonly store: Store
    readonly vault: KeyVault
    readonly clock: Clock
    readonly issuer: string
  }) {
    this.#store = options.store
    this.#vault = options.vault
    this.#clock = options.clock
    this.#issuer = options.issuer
  }

  /** @throws vault.unreadable */
  async sign(claims: JWTPayload, lifeMs: number): Promise<string> {
    const { doc } = await this.#current()
    // Read after the ring: its first key is valid from the moment it was made.
    const now = this.#clock.now()
    const key = doc.keys.find(({ useFrom, useUntil }) => useFrom <= now && now < useUntil)
    if (!key) throw new Error('the key ring holds no key for now')
    return new SignJWT(claims)
      .setProtectedHeader({ alg, kid: key.kid, typ: tokenType })
      .setIssuer(this.#issuer)
      .setAudience(audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor((now + lifeMs) / 1000))
      .sign(await this.#unwrap(key))
  }

  /** @throws jose's error about `token` */
  async verify(token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(
      token,
      async (header, jws) => {
        const ring = await this.#current()
        const isKnown = ring.doc.keys.some(({ kid }) => kid === header.kid)
        const isFresh = this.#clock.monotonic() - ring.loadedAt < keyTimes.reloadMs
        const { keyOf } = isKnown || isFresh ? ring : await this.#load()
        return keyOf(header, jws)
      },
      {
        algorithms: [alg],
        issuer: this.#issuer,
        audience,
        typ: tokenType,
        currentDate: new Date(this.#clock.now()),
        requiredClaims: ['sub', 'exp', 'iat', 'auth_time'],
      },
    )
    // From a fast clock: the token would stay valid until that time comes. Its session has a new one at once.
    const issuedAt = (payload.iat ?? 0) * 1000
    if (isAhead(issuedAt, { nowMs: this.#clock.now(), lastsMs: 0 })) throw fail('auth.invalid')
    return payload
  }

  /** What the token says of a person. @throws auth.invalid */
  async claims(token: string): Promise<z.infer<typeof claimsSchema>> {
    try {
      return claimsSchema.parse(await this.verify(token))
    } catch (cause) {
      if (isFailure(cause)) throw cause
      throw fail('auth.invalid', undefined, { cause })
    }
  }

  /** The public keys, including the next one. */
  async jwks(): Promise<PublicKeys> {
    return (await this.#current()).jwks
  }

  async #current(): Promise<Ring> {
    const ring = this.#ring
    return ring && !isDue(ring.doc, this.#clock.now()) ? ring : this.#load()
  }

  /** Reads the ring and adds a successor when it is due. */
  async #load(): Promise<Ring> {
    const now = this.#clock.now()
    let doc = (await this.#store.get(ringRef))?.data
    if (!doc || isDue(doc, now)) {
      const fresh = await this.#makeKey()
      doc = await this.#store.change(ringRef, (current) => withSuccessor(current, fresh, now))
    }
    if (!doc) throw new Error('the key ring vanished')
    const live = doc.keys.filter(({ verifyUntil }) => verifyUntil > now)
    const jwks = { keys: live.map((key) => publicKeySchema.parse(JSON.parse(key.public))) }
    this.#ring = { doc, loadedAt: this.#clock.monotonic(), jwks, keyOf: createLocalJWKSet(jwks) }
    return this.#ring
  }

  async #makeKey(): Promise<Pick<AccessKey, 'kid' | 'public' | 'wrapped'>> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const kid = randomUUID()
    const [open, hidden] = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)])
    return {
      kid,
      public: JSON.stringify({ ...open, kid, alg, use: 'sig' }),
      wrapped: await this.#vault.wrap(new Secret(JSON.stringify(hidden))),
    }
  }

  async #unwrap({ kid, wrapped }: AccessKey): Promise<PrivateKey> {
    const known = this.#unwrapped.get(kid)
    if (known) return known
    const key = await importJWK(JSON.parse((await this.#vault.unwrap(wrapped)).reveal()), alg)
    this.#unwrapped.clear()
    this.#unwrapped.set(kid, key)
    return key
  }
}

/** Whether the last key ends so soon that its successor has to be published, or no key covers now. */
function isDue({ keys }: KeyRingDoc, now: number): boolean {
  const last = keys.at(-1)
  return !last || last.useUntil - keyTimes.publishedBeforeMs <= now || !isCovered(keys, now)
}

/** No key covers now after a long sleep, or after the clock was set back. */
function isCovered(keys: readonly AccessKey[], now: number): boolean {
  return keys.some(({ useFrom, useUntil }) => useFrom <= now && now < useUntil)
}

function withSuccessor(
  ring: KeyRingDoc | undefined,
  fresh: Pick<AccessKey, 'kid' | 'public' | 'wrapped'>,
  now: number,
): KeyRingDoc | 'keep' {
  if (ring && !isDue(ring, now)) return 'keep'
  const known = ring?.keys ?? []
  const useFrom = isCovered(known, now) ? Math.max(now, known.at(-1)?.useUntil ?? now) : now
  const useUntil = useFrom + keyTimes.usedMs
  const key = { ...fresh, useFrom, useUntil, verifyUntil: useUntil + keyTimes.verifiableAfterMs }
  // Drop keys made while the clock was fast: they would sign again when their time comes.
  const kept = known.filter((one) => one.verifyUntil > now && one.useFrom < useFrom)
  return { keys: [...kept, key] }
}

/**
 * Challenges of WebAuthn without a document for each, so strangers who ask for them fill nothing: a challenge says when
 * it ends and carries a MAC over that, its purpose, and the person and sign-in that it is for. A used one is remembered
 * until its end, so it is good once. Form, base64url: 16 random bytes, end in ms (8 bytes), HMAC-SHA-256 (32).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { fail, isFailure } from '../../base/errors.ts'
import { hashSecret } from '../../base/ids.ts'
import type { Secret } from '../../base/secret.ts'
import type { KeyVault, Store } from '../platform.ts'
import { serviceSecret } from '../service-secrets.ts'
import { isStillOn } from '../stored-times.ts'
import { spentChallenges } from './factor-documents.ts'

/** Time to find the phone or the security key; WebAuthn recommends five minutes (section 15.1). */
export const challengeMs = 5 * 60_000

/** What a challenge is good for. Where nobody is known yet, person and sign-in are ''. */
export type ChallengeFor = {
  readonly purpose: 'sign-in' | 'show' | 'add'
  readonly user: string
  readonly signIn: string
}

const nonceBytes = 16
const bodyBytes = nonceBytes + 8
const macBytes = 32

export class Challenges {
  readonly #parts: { readonly store: Store; readonly vault: KeyVault; readonly clock: Clock }
  #key: Promise<Secret> | undefined

  constructor(parts: { readonly store: Store; readonly vault: KeyVault; readonly clock: Clock }) {
    this.#parts = parts
  }

  async make(what: ChallengeFor): Promise<string> {
    const body = Buffer.alloc(bodyBytes)
    randomBytes(nonceBytes).copy(body)
    body.writeBigUInt64BE(BigInt(Math.floor(this.#parts.clock.now()) + challengeMs), nonceBytes)
    return Buffer.concat([body, await this.#mac(body, what)]).toString('base64url')
  }

  /** Whether we made it for this and it has not ended. It may have been used. */
  async isOurs(challenge: string, what: ChallengeFor): Promise<boolean> {
    return (await this.#endOf(challenge, what)) !== undefined
  }

  /** Call when everything else about the answer is right. @throws factor.challenge when it is over or was used */
  async spend(challenge: string, what: ChallengeFor): Promise<void> {
    const endsAt = await this.#endOf(challenge, what)
    if (endsAt === undefined) throw fail('factor.challenge')
    try {
      await this.#parts.store.create(spentChallenges.ref(hashSecret(challenge)), { ttl: new Date(endsAt) })
    } catch (error) {
      throw isFailure(error, 'store.exists') ? fail('factor.challenge') : error
    }
  }

  async #endOf(challenge: string, what: ChallengeFor): Promise<number | undefined> {
    const bytes = Buffer.from(challenge, 'base64url')
    // Other spellings of the same bytes would be other ids of spent challenges.
    if (bytes.length !== bodyBytes + macBytes || bytes.toString('base64url') !== challenge) return undefined
    const body = bytes.subarray(0, bodyBytes)
    if (!timingSafeEqual(bytes.subarray(bodyBytes), await this.#mac(body, what))) return undefined
    const endsAt = Number(body.readBigUInt64BE(nonceBytes))
    const span = { nowMs: this.#parts.clock.now(), lastsMs: challengeMs }
    return isStillOn(endsAt, span) ? endsAt : undefined
  }

  async #mac(body: Buffer, { purpose, user, signIn }: ChallengeFor): Promise<Buffer> {
    const key = (await this.#secret()).reveal()
    return createHmac('sha256', key)
      .update(body)
      .update(JSON.stringify([purpose, user, signIn]))
      .digest()
  }

  async #secret(): Promise<Secret> {
    this.#key ??= serviceSecret(this.#parts, 'factors')
    try {
      return await this.#key
    } catch (error) {
      // Do not keep the failure: the next challenge tries again.
      this.#key = undefined
      throw error
    }
  }
}

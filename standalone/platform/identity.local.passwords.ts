/**
 * Password hashing: scrypt at OWASP's figures (N 2^15, r 8, p 3: 32 MiB and some 200 ms each). A flood of sign-ins must
 * not use up the memory or the thread pool, so hashing goes through a line (identity.local.line.ts). Stored form:
 * `scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`, base64url.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { Line, type Place } from './identity.local.line.ts'

export type PasswordCost = { readonly log2N: number; readonly r: number; readonly p: number }

const owaspCost: PasswordCost = { log2N: 15, r: 8, p: 3 }

const saltBytes = 16
const hashBytes = 32

export class Passwords {
  readonly #cost: PasswordCost
  readonly #line: Line

  constructor(clock: Pick<Clock, 'after'>, cost: PasswordCost = owaspCost) {
    this.#line = new Line(clock)
    this.#cost = cost
  }

  /** @throws auth.busy */
  async hash(password: string, place: Place): Promise<string> {
    const salt = randomBytes(saltBytes)
    const hash = await this.#derive(password, { salt, cost: this.#cost, place })
    const { log2N, r, p } = this.#cost
    return ['scrypt', log2N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$')
  }

  /**
   * Takes the same time with and without a hash to compare with.
   * @param stored undefined when there is no such user
   * @throws auth.busy
   */
  async verify(password: string, stored: string | undefined, place: Place): Promise<boolean> {
    const { cost, salt, hash } = stored === undefined ? this.#nobody() : parse(stored)
    const derived = await this.#derive(password, { salt, cost, place })
    return timingSafeEqual(derived, hash) && stored !== undefined
  }

  /** True for a hash with a cost other than today's: hash again while the password is at hand. */
  isOutdated(stored: string): boolean {
    const { log2N, r, p } = parse(stored).cost
    return log2N !== this.#cost.log2N || r !== this.#cost.r || p !== this.#cost.p
  }

  #nobody() {
    return { cost: this.#cost, salt: Buffer.alloc(saltBytes), hash: Buffer.alloc(hashBytes) }
  }

  async #derive(
    password: string,
    { salt, cost: { log2N, r, p }, place }: { salt: Buffer; cost: PasswordCost; place: Place },
  ): Promise<Buffer> {
    await this.#line.enter(place)
    try {
      // Keyboards differ in how they compose accents (NIST SP 800-63B).
      const text = password.normalize('NFKC')
      const N = 2 ** log2N
      return await derive(text, salt, { N, r, p, maxmem: 129 * N * r + 1_048_576 })
    } finally {
      this.#line.leave()
    }
  }
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(password, salt, hashBytes, options, (error, key) => (error ? reject(error) : resolve(key))),
  )
}

function parse(stored: string) {
  const [scheme, log2N, r, p, salt, hash] = stored.split('$')
  if (scheme !== 'scrypt' || !salt || !hash) throw fail('api.internal', 'a stored password hash is damaged')
  return {
    cost: { log2N: Number(log2N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  }
}

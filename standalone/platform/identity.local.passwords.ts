/**
 * Password hashing: scrypt at OWASP's figures (N 2^15, r 8, p 3: 32 MiB and some 200 ms each). A flood of sign-ins
 * must not eat the memory or the thread pool, so few run at once, few wait, and the rest is told to come back.
 * Stored form: `scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`, base64url.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { fail } from '@porttunneler/shared/base/errors'

export type PasswordCost = { readonly log2N: number; readonly r: number; readonly p: number }

const owaspCost: PasswordCost = { log2N: 15, r: 8, p: 3 }

/** Half of libuv's four threads: files and DNS share them. */
const runningMax = 2
/** At 200 ms each the last in line waits 3 s. */
const waitingMax = 30
const saltBytes = 16
const hashBytes = 32

export class Passwords {
  readonly #cost: PasswordCost
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(cost: PasswordCost = owaspCost) {
    this.#cost = cost
  }

  /** @throws auth.busy */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes)
    const hash = await this.#derive(password, salt, this.#cost)
    const { log2N, r, p } = this.#cost
    return ['scrypt', log2N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$')
  }

  /**
   * Takes the same time whether or not there is a hash to compare with.
   * @param stored undefined when there is no such user
   * @throws auth.busy
   */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    const { cost, salt, hash } = stored === undefined ? this.#nobody() : parse(stored)
    const derived = await this.#derive(password, salt, cost)
    return timingSafeEqual(derived, hash) && stored !== undefined
  }

  /** True for a hash made with other costs than today's: hash again while the password is at hand. */
  isOutdated(stored: string): boolean {
    const { log2N, r, p } = parse(stored).cost
    return log2N !== this.#cost.log2N || r !== this.#cost.r || p !== this.#cost.p
  }

  #nobody() {
    return { cost: this.#cost, salt: Buffer.alloc(saltBytes), hash: Buffer.alloc(hashBytes) }
  }

  async #derive(password: string, salt: Buffer, { log2N, r, p }: PasswordCost): Promise<Buffer> {
    await this.#enter()
    try {
      // Keyboards differ in how they compose accents (NIST SP 800-63B).
      const text = password.normalize('NFKC')
      const N = 2 ** log2N
      return await derive(text, salt, { N, r, p, maxmem: 129 * N * r + 1_048_576 })
    } finally {
      this.#leave()
    }
  }

  #enter(): Promise<void> {
    if (this.#running < runningMax) {
      this.#running++
      return Promise.resolve()
    }
    if (this.#waiting.length >= waitingMax)
      throw fail('auth.busy', undefined, { fields: { retryAfterMs: 3_000 } })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Hands the place on, so that nobody slips in between. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#running--
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

/**
 * Token buckets of one process: rough, cheap, and bounded. control/rates.ts has the exact limits that protect accounts.
 */
import type { Clock } from '../base/clock.ts'
import { fail } from '../base/errors.ts'

const bucketsMax = 20_000

export type Allowance = { readonly limit: number; readonly remaining: number; readonly resetMs: number }

export class RateLimiter {
  readonly #clock: Clock
  readonly #perMinute: number
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock
    this.#perMinute = perMinute
  }

  /** Takes a request of `subject` that counts as `cost` usual ones. @throws api.rate with `retryAfterMs` */
  take(subject: string, cost = 1): Allowance {
    const now = this.#clock.monotonic()
    const perMs = this.#perMinute / 60_000
    const before = this.#buckets.get(subject) ?? { tokens: this.#perMinute, at: now }
    const tokens = Math.min(this.#perMinute, before.tokens + (now - before.at) * perMs)
    // Delete and set, so that the map is ordered by last use and its first entry is the one to forget.
    this.#buckets.delete(subject)
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size >= bucketsMax && oldest !== undefined) this.#buckets.delete(oldest)
    const isAllowed = tokens >= cost
    this.#buckets.set(subject, { tokens: isAllowed ? tokens - cost : tokens, at: now })
    if (!isAllowed) {
      const retryAfterMs = (cost - tokens) / perMs
      throw fail('api.rate', `At most ${this.#perMinute} requests a minute.`, { fields: { retryAfterMs } })
    }
    const remaining = Math.floor(tokens - cost)
    return { limit: this.#perMinute, remaining, resetMs: (this.#perMinute - remaining) / perMs }
  }
}

/**
 * Token buckets by key, for rates of new connections. A bucket that is full again is the same as none, so the map
 * only holds keys that were busy lately; it is bounded, and when strangers fill it the longest untouched goes first.
 */
import type { Clock } from '@porttunneler/shared/base/clock'

export type Rate = {
  /** Tokens a minute. */
  readonly perMinute: number
  /** How many may come at once after a pause. */
  readonly burst: number
}

type Bucket = { tokens: number; atMs: number }

export class Buckets {
  readonly #clock: Clock
  readonly #keysMax: number
  /** Map keeps insertion order; a touched key is put back at the end, so the first is the longest untouched. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, { keysMax }: { readonly keysMax: number }) {
    this.#clock = clock
    this.#keysMax = keysMax
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Takes one token of `key`; false when there is none. The rate may differ from call to call (a policy changed). */
  take(key: string, rate: Rate): boolean {
    const now = this.#clock.monotonic()
    const bucket = this.#buckets.get(key)
    const tokens = bucket === undefined ? rate.burst : refill(bucket, rate, now)
    const granted = tokens >= 1
    this.#buckets.delete(key)
    if (this.#buckets.size >= this.#keysMax) this.#evictFirst()
    this.#buckets.set(key, { tokens: granted ? tokens - 1 : tokens, atMs: now })
    return granted
  }

  #evictFirst(): void {
    const first = this.#buckets.keys().next()
    if (!first.done) this.#buckets.delete(first.value)
  }
}

function refill(bucket: Bucket, rate: Rate, now: number): number {
  return Math.min(rate.burst, bucket.tokens + ((now - bucket.atMs) * rate.perMinute) / 60_000)
}

/**
 * Token buckets by key, for rates of what strangers may ask. A quarter of each bucket is kept from whoever uses it
 * most: the largest user finds it empty while those who use less still find tokens, in the measure of what they have
 * used lately. One that is alone keeps the whole rate, and loses only that quarter of the burst.
 *
 * A bucket that is full again is the same as none, so the map only holds keys that were busy lately; it is bounded, and
 * when strangers fill it the longest untouched goes first.
 */
import type { Clock } from '@porttunneler/shared/base/clock'

export type Rate = {
  /** Tokens a minute. */
  readonly perMinute: number
  /** How many may come at once after a pause. */
  readonly burst: number
}

type Bucket = { tokens: number; atMs: number; readonly use: Use }

/** What somebody used lately, and of that its parts: networks, in them addresses. */
type Use = {
  used: number
  atMs: number
  /** The most that one part had used, as of `atMs` of that part. */
  largest: number
  largestAtMs: number
  parts: Map<string, Use> | undefined
}

/** What was used so long ago counts half. */
const halfLifeMs = 30_000
/** Of the burst: kept from the largest user. */
const reserveShare = 0.25
/** Parts that are remembered of each; the longest untouched goes first. */
const partsMax = 256

export class FairRates {
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

  /**
   * Takes one token of `key`; false when there is none for this user. The rate may differ from call to call (a policy
   * changed).
   * @param user who asks, the larger part first: network, address
   */
  take(key: string, rate: Rate, user: readonly string[] = []): boolean {
    const now = this.#clock.monotonic()
    const known = this.#buckets.get(key)
    const tokens = known === undefined ? rate.burst : refill(known, rate, now)
    const use = known?.use ?? newUse(now)
    const need = 1 + rate.burst * reserveShare * burden(use, user, now)
    const isGranted = tokens >= Math.min(need, rate.burst)
    if (isGranted) note(use, user, now)
    this.#buckets.delete(key)
    if (this.#buckets.size >= this.#keysMax) evictFirst(this.#buckets)
    this.#buckets.set(key, { tokens: isGranted ? tokens - 1 : tokens, atMs: now, use })
    return isGranted
  }
}

function refill(bucket: Bucket, rate: Rate, now: number): number {
  return Math.min(rate.burst, bucket.tokens + ((now - bucket.atMs) * rate.perMinute) / 60_000)
}

function newUse(now: number): Use {
  return { used: 0, atMs: now, largest: 0, largestAtMs: now, parts: undefined }
}

function faded(amount: number, sinceMs: number, now: number): number {
  return amount === 0 ? 0 : amount * 2 ** ((sinceMs - now) / halfLifeMs)
}

/**
 * 0: has used next to nothing; 1: nobody has used more, at any level. One that is small in a large network stands
 * between, and one that is all of a small network is small.
 */
function burden(all: Use, [key, ...rest]: readonly string[], now: number): number {
  const part = key === undefined ? undefined : all.parts?.get(key)
  if (!part) return 0
  const used = faded(part.used, part.atMs, now)
  if (used < 1) return 0
  const own = Math.min(1, used / faded(all.largest, all.largestAtMs, now))
  if (rest.length === 0) return own
  const levels = rest.length + 1
  return (own * (1 + rest.length * burden(part, rest, now))) / levels
}

function note(all: Use, user: readonly string[], now: number): void {
  let use = all
  for (const key of user) {
    use.parts ??= new Map()
    const part: Use = use.parts.get(key) ?? newUse(now)
    use.parts.delete(key)
    if (use.parts.size >= partsMax) evictFirst(use.parts)
    use.parts.set(key, part)
    part.used = faded(part.used, part.atMs, now) + 1
    part.atMs = now
    if (part.used >= faded(use.largest, use.largestAtMs, now)) {
      use.largest = part.used
      use.largestAtMs = now
    }
    use = part
  }
}

function evictFirst(map: Map<string, unknown>): void {
  const first = map.keys().next()
  if (!first.done) map.delete(first.value)
}

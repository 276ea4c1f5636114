/**
 * Token buckets by key, for rates of what strangers may ask. A quarter of each bucket is kept from the largest user: it
 * finds the bucket empty while smaller users still find tokens, in proportion to what they have used lately. A single
 * user keeps the whole rate, and loses only that quarter of the burst.
 *
 * A bucket that is full again is the same as none, so only keys that were busy lately are held, in two generations:
 * when the younger has half of the allowed keys or users, the older is forgotten. Nothing is deleted one by one,
 * because a key that comes and goes would make V8's map slow.
 */
import { isIPv6 } from 'node:net'
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'

export type Rate = {
  /** Tokens a minute. */
  readonly perMinute: number
  /** How many may come at once after a pause. */
  readonly burst: number
}

type Bucket = { tokens: number; atMs: number; readonly use: Use; users: number }

/** What somebody used lately, and the same for its parts: networks, in them addresses. */
type Use = {
  used: number
  atMs: number
  /** The most that one part had used, at that part's `atMs`. */
  largest: number
  largestAtMs: number
  parts: Map<string, Use> | undefined
  /** The key of the last one in `parts`. */
  lastKey: string | undefined
}

/** Use that is this old counts half. */
const halfLifeMs = 30_000
/** The share of the burst that is kept from the largest user. */
const reserveShare = 0.25
/** Parts that are remembered at each level; the one untouched for longest goes first. */
const partsMax = [128, 16, 4] as const
/**
 * Parts of all keys together: 270 bytes each, so 27 MB at most. One key alone may have 10,000 of them, and in an attack
 * from a whole /48 each of its networks has some.
 */
const usersMax = 100_000

export class FairRates {
  readonly #clock: Clock
  readonly #generationMax: number
  #young = new Map<string, Bucket>()
  #old: ReadonlyMap<string, Bucket> = new Map()
  #youngUsers = 0
  #oldUsers = 0

  constructor(clock: Clock, { keysMax }: { readonly keysMax: number }) {
    this.#clock = clock
    this.#generationMax = Math.ceil(keysMax / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** How many parts of users are remembered, which the number of keys alone does not bound. */
  get users(): number {
    return this.#youngUsers + this.#oldUsers
  }

  /**
   * Takes one token of `key`. The rate may differ from call to call (a policy changed).
   * @param user who asks, the larger part first: network, address
   * @returns false when there is none for this user
   */
  take(key: string, rate: Rate, user: readonly string[] = []): boolean {
    const now = this.#clock.monotonic()
    const known = this.#young.get(key) ?? this.#old.get(key)
    const bucket = known ?? { tokens: rate.burst, atMs: now, use: newUse(now), users: 0 }
    if (known) bucket.tokens = refill(bucket, rate, now)
    bucket.atMs = now
    const need = 1 + rate.burst * reserveShare * burden(bucket.use, user, now)
    const isGranted = bucket.tokens >= Math.min(need, rate.burst)
    const added = isGranted ? note(bucket.use, user, now) : 0
    if (isGranted) bucket.tokens -= 1
    bucket.users += added
    this.#keep(key, bucket, added)
    return isGranted
  }

  #keep(key: string, bucket: Bucket, added: number): void {
    const isNew = !this.#young.has(key) && this.#young.size >= this.#generationMax
    if (isNew || this.#youngUsers + added > usersMax / 2) {
      this.#old = this.#young
      this.#oldUsers = this.#youngUsers
      this.#young = new Map()
      this.#youngUsers = 0
    }
    this.#youngUsers += this.#young.has(key) ? added : bucket.users
    this.#young.set(key, bucket)
  }
}

function refill(bucket: Bucket, rate: Rate, now: number): number {
  return Math.min(rate.burst, bucket.tokens + ((now - bucket.atMs) * rate.perMinute) / 60_000)
}

function newUse(now: number): Use {
  return { used: 0, atMs: now, largest: 0, largestAtMs: now, parts: undefined, lastKey: undefined }
}

function faded(amount: number, sinceMs: number, now: number): number {
  return amount === 0 ? 0 : amount * 2 ** ((sinceMs - now) / halfLifeMs)
}

/**
 * 0: has used next to nothing; 1: nobody has used more, at any level. A small user in a large network is between, and a
 * user that is all of a small network is small. `user` is read from `depth` on.
 */
function burden(all: Use, user: readonly string[], now: number, depth = 0): number {
  const key = user[depth]
  const part = key === undefined ? undefined : all.parts?.get(key)
  if (!part) return 0
  const used = faded(part.used, part.atMs, now)
  if (used < 1) return 0
  const own = Math.min(1, used / faded(all.largest, all.largestAtMs, now))
  const below = user.length - depth - 1
  if (below === 0) return own
  return (own * (1 + below * burden(part, user, now, depth + 1))) / (below + 1)
}

/** @returns how many parts were added */
function note(all: Use, user: readonly string[], now: number): number {
  let use = all
  let added = 0
  for (let depth = 0; depth < user.length; depth++) {
    const key = user[depth] ?? ''
    use.parts ??= new Map()
    const known = use.parts.get(key)
    const part = known ?? newUse(now)
    if (!known || use.lastKey !== key) {
      use.lastKey = key
      use.parts.delete(key)
      if (!known) added += 1
      if (use.parts.size >= (partsMax[depth] ?? 1)) added -= evictFirst(use.parts)
      use.parts.set(key, part)
    }
    part.used = faded(part.used, part.atMs, now) + 1
    part.atMs = now
    if (part.used >= faded(use.largest, use.largestAtMs, now)) {
      use.largest = part.used
      use.largestAtMs = now
    }
    use = part
  }
  return added
}

/** @returns how many parts went with it */
function evictFirst(map: Map<string, Use>): number {
  for (const [key, use] of map) {
    map.delete(key)
    return partsOf(use)
  }
  return 0
}

/** How many parts it has, itself included. */
function partsOf({ parts }: Use): number {
  let count = 1
  for (const part of parts?.values() ?? []) count += partsOf(part)
  return count
}

/** One customer may use this many times the rate of one network in a /48: it may be many households. */
const widerShare = 4

/** Takes a token of the network of `address`, and of the wider network around it. */
export function takeOfSource(rates: FairRates, address: string, rate: Rate): boolean {
  const [wider = '', network = ''] = sourcePath(address)
  if (!isIPv6(address)) return rates.take(wider, rate, [address])
  const { perMinute, burst } = rate
  const wide = { perMinute: perMinute * widerShare, burst: burst * widerShare }
  return rates.take(network, rate, [address]) && rates.take(wider, wide, [network])
}

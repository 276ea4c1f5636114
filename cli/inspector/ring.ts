/**
 * All that the inspector keeps of requests, within one bound of bytes and one of numbers. The oldest goes first; those
 * that somebody pinned stay, and count: they may fill half of it and no more, so that new requests always have room.
 */
import type { Entry } from './entry.ts'

export type RingLimits = {
  readonly bytes: number
  readonly requests: number
  readonly pinnedBytes: number
  readonly pinned: number
}

export const ringLimits: RingLimits = {
  bytes: 100_000_000,
  requests: 10_000,
  pinnedBytes: 50_000_000,
  pinned: 500,
}

/** What the objects around the bytes of one request take, measured with 10,000 small ones (bench/inspector.ts). */
const entryBytes = 2_048

export class Ring {
  readonly #limits: RingLimits
  /** Both in the order of arrival. */
  readonly #passing = new Map<number, Entry>()
  readonly #pinned = new Map<number, Entry>()
  #walk = this.#passing.values()
  #bytes = 0
  #pinnedBytes = 0

  constructor(limits: RingLimits = ringLimits) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#passing.size + this.#pinned.size
  }

  add(entry: Entry): void {
    while (this.size >= this.#limits.requests && this.#evict(entry)) {
      // One goes for one that comes.
    }
    this.#passing.set(entry.id, entry)
    this.charge(entry, entryBytes)
  }

  /** Takes room for more of a request's bytes. @returns false if there is none, or the request itself had to go */
  charge(entry: Entry, bytes: number): boolean {
    if (!this.has(entry)) return false
    const isPinned = this.#pinned.has(entry.id)
    if (isPinned && this.#pinnedBytes + bytes > this.#limits.pinnedBytes) return false
    while (this.#bytes + bytes > this.#limits.bytes) if (!this.#evict(entry)) return false
    entry.charged += bytes
    this.#bytes += bytes
    if (isPinned) this.#pinnedBytes += bytes
    return true
  }

  /** Gives some of it back. */
  refund(entry: Entry, bytes: number): void {
    if (!this.has(entry)) return
    entry.charged -= bytes
    this.#bytes -= bytes
    if (this.#pinned.has(entry.id)) this.#pinnedBytes -= bytes
  }

  has({ id }: Entry): boolean {
    return this.#passing.has(id) || this.#pinned.has(id)
  }

  get(id: number): Entry | undefined {
    return this.#passing.get(id) ?? this.#pinned.get(id)
  }

  isPinned(id: number): boolean {
    return this.#pinned.has(id)
  }

  /** @returns false if pinned ones fill their half already */
  pin(entry: Entry, wanted: boolean): boolean {
    const { id, charged } = entry
    if (!this.has(entry) || this.isPinned(id) === wanted) return this.has(entry)
    if (!wanted) {
      this.#pinned.delete(id)
      this.#pinnedBytes -= charged
      this.#passing.set(id, entry)
      return true
    }
    const isFull = this.#pinned.size >= this.#limits.pinned
    if (isFull || this.#pinnedBytes + charged > this.#limits.pinnedBytes) return false
    this.#passing.delete(id)
    this.#pinned.set(id, entry)
    this.#pinnedBytes += charged
    return true
  }

  /** The newest first. */
  newest(): readonly Entry[] {
    const all = [...this.#passing.values(), ...this.#pinned.values()]
    return all.toSorted((a, b) => b.id - a.id)
  }

  /** Forgets all but the pinned ones. */
  clear(): void {
    for (const entry of [...this.#passing.values()]) this.#forget(entry)
  }

  /** @returns false if nothing but `except` is left to go */
  #evict(except: Entry): boolean {
    for (let tries = 0; tries < 2; tries++) {
      // One walk goes on from where it was: a new one would pass all that went before, each time.
      for (let next = this.#walk.next(); !next.done; next = this.#walk.next()) {
        if (next.value === except) continue
        this.#forget(next.value)
        return true
      }
      this.#walk = this.#passing.values()
    }
    return false
  }

  #forget(entry: Entry): void {
    this.#passing.delete(entry.id)
    this.#bytes -= entry.charged
    entry.drop()
  }
}

/**
 * One turn of the event loop. What became dirty during a turn (carriers with frames, sockets with bytes) is written
 * once, in the check phase: `process.nextTick` would run after every TLS record and gather nothing (measured, see
 * docs/performance.md). Small frames of all carriers share one slab, so an idle carrier holds no buffer at all.
 */
export interface Flushable {
  flush(): void
}

/** Holds about a thousand small frames; a frame is never split over slabs. */
const slabBytes = 64 * 1024

export class Turn {
  #dirty: Flushable[] = []
  #isScheduled = false
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  #slabUsed = 0
  readonly #schedule: (run: () => void) => void

  /** `schedule` runs its argument at the end of the turn; tests choose the moment. */
  constructor(schedule: (run: () => void) => void = setImmediate) {
    this.#schedule = schedule
  }

  /** Has `item.flush()` called at the end of this turn. The item sees to it that it is added once. */
  add(item: Flushable): void {
    this.#dirty.push(item)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(this.#run)
  }

  /** Where the next `take` will write, and in which slab: lets a carrier extend its last segment. */
  get slab(): Buffer {
    return this.#slab
  }

  /** Reserves `bytes` in `slab` (read `slab` after the call: it may be a new one) and answers where they start. */
  take(bytes: number): number {
    if (this.#slabUsed + bytes > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes))
      this.#slabUsed = 0
    }
    const start = this.#slabUsed
    this.#slabUsed += bytes
    return start
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    const dirty = this.#dirty
    this.#dirty = []
    for (const item of dirty) item.flush()
  }
}

/**
 * One turn of the event loop. What became dirty during a turn (carriers with frames, sockets with bytes) is written
 * once, in the check phase: `process.nextTick` would run after every TLS record and gather nothing (measured, see
 * docs/performance.md).
 */
export interface Flushable {
  flush(): void
}

export class Turn {
  #dirty: Flushable[] = []
  #isScheduled = false
  readonly #schedule: (run: () => void) => void

  /** `schedule` runs its argument at the end of the turn; tests choose the moment. */
  constructor(schedule: (run: () => void) => void = setImmediate) {
    this.#schedule = schedule
  }

  /** Calls `item.flush()` at the end of this turn. The item must see to it that it is added once. */
  add(item: Flushable): void {
    this.#dirty.push(item)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(this.#run)
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    const dirty = this.#dirty
    this.#dirty = []
    for (const item of dirty) item.flush()
  }
}

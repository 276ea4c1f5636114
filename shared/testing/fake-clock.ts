/**
 * A clock that moves only by hand. Timers run in the order of their due time, and for equal times in the order they
 * were made.
 */
import type { Clock, Timer } from '../base/clock.ts'

type Entry = {
  due: number
  readonly order: number
  readonly every: number | undefined
  readonly fn: () => void
}

export class FakeClock implements Clock {
  #wall: number
  #monotonic = 0
  #order = 0
  readonly #entries = new Set<Entry>()

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wall = startMs
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, undefined)
  }

  every(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, ms)
  }

  /** How many timers are set: a leak test expects 0. */
  get pending(): number {
    return this.#entries.size
  }

  /**
   * Moves both clocks forward and runs what becomes due. Timers set meanwhile run too if they are due within the span.
   */
  advance(ms: number): void {
    const end = this.#monotonic + ms
    for (let next = this.#first(end); next; next = this.#first(end)) {
      this.#move(next.due - this.#monotonic)
      if (next.every === undefined) this.#entries.delete(next)
      else next.due += Math.max(1, next.every)
      next.fn()
    }
    this.#move(end - this.#monotonic)
  }

  /** Advances in steps, and lets promises settle between them. */
  async advanceAsync(ms: number, stepMs = Math.max(1, ms / 20)): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The wall clock jumps (suspend, NTP) while the monotonic one does not. */
  jump(ms: number): void {
    this.#wall += ms
  }

  /** The process stood still: time passes, and every timer that became due meanwhile runs once, late. */
  stall(ms: number): void {
    this.#move(ms)
    for (const entry of [...this.#entries].filter(({ due }) => due <= this.#monotonic)) {
      if (entry.every === undefined) this.#entries.delete(entry)
      else entry.due = this.#monotonic + entry.every
      entry.fn()
    }
  }

  #add(ms: number, fn: () => void, every: number | undefined): Timer {
    const entry: Entry = { due: this.#monotonic + Math.max(0, ms), order: this.#order++, every, fn }
    this.#entries.add(entry)
    return { clear: () => this.#entries.delete(entry) }
  }

  #first(end: number): Entry | undefined {
    let first: Entry | undefined
    for (const entry of this.#entries) {
      if (entry.due > end) continue
      if (!first || entry.due < first.due || (entry.due === first.due && entry.order < first.order))
        first = entry
    }
    return first
  }

  #move(ms: number): void {
    this.#wall += ms
    this.#monotonic += ms
  }
}

/**
 * Waiting at visitor connections of http tunnels, where their TLS ends: at a relay or at an agent. Idle connections are
 * found in steps, by counters that exist anyway: no timer is touched for a byte.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'

const steps = 4
/** A visitor that was just answered, however late, may be sending its next request. */
const pauseLooks = 10

/**
 * Calls `onIdle` once `progress` has not changed for `limits.httpIdleMs` (up to a quarter more). It goes on until
 * cleared.
 */
function watchIdle(clock: Clock, progress: () => number, onIdle: () => void): Timer {
  let last = -1
  let still = 0
  return clock.every(limits.httpIdleMs / steps, () => {
    const now = progress()
    still = now === last ? still + 1 : 0
    last = now
    if (still >= steps) onIdle()
  })
}

/** What a visitor connection may wait for. */
export class VisitorTimers {
  readonly #clock: Clock
  #head: Timer | undefined
  #idle: Timer | undefined
  #end: Timer | undefined
  /** Looks in a row that found nothing under way. */
  #quietLooks = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Waits for the rest of a request head. */
  awaitHead(onLate: () => void): void {
    this.#head ??= this.#clock.after(limits.headDeadlineMs, () => {
      this.#head = undefined
      onLate()
    })
  }

  /** The head came, or it was only half an empty line. */
  forgetHead(): void {
    this.#head?.clear()
    this.#head = undefined
  }

  /** Waits for any byte, from its first call on; see `watchIdle`. */
  awaitProgress(progress: () => number, onIdle: () => void): void {
    this.#idle ??= watchIdle(this.#clock, progress, onIdle)
  }

  forgetProgress(): void {
    this.#idle?.clear()
  }

  /** Call it at regular looks. @returns whether nothing was under way at this look and nine before it */
  hasPaused(isQuiet: boolean): boolean {
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0
    return this.#quietLooks >= pauseLooks
  }

  /** Waits for the visitor's end. */
  awaitEnd(timer: Timer): void {
    this.#end = timer
  }

  clear(): void {
    this.#head?.clear()
    this.#idle?.clear()
    this.#end?.clear()
  }
}

/**
 * Waiting at visitor connections. Idle ones are judged in steps by what was counted anyway: no timer is touched for a
 * byte.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'

const steps = 4

/** Calls `onIdle` once `progress` has stood still for `limits.httpIdleMs` (up to a quarter more); goes on until cleared. */
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

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The rest of a request head. */
  awaitHead(onLate: () => void): void {
    this.#head ??= this.#clock.after(limits.headDeadlineMs, () => {
      this.#head = undefined
      onLate()
    })
  }

  /** It came, or was but half an empty line. */
  forgetHead(): void {
    this.#head?.clear()
    this.#head = undefined
  }

  /** Any byte; see `watchIdle`. */
  awaitProgress(progress: () => number, onIdle: () => void): void {
    this.#idle = watchIdle(this.#clock, progress, onIdle)
  }

  forgetProgress(): void {
    this.#idle?.clear()
  }

  /** The visitor's end. */
  awaitEnd(timer: Timer): void {
    this.#end = timer
  }

  clear(): void {
    this.#head?.clear()
    this.#idle?.clear()
    this.#end?.clear()
  }
}

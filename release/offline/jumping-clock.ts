/** A clock on which every wait is over at once, and takes the time that it should: hours of a release in a moment. */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

export class JumpingClock implements Clock {
  #now: number
  readonly #start: number

  constructor(startMs: number) {
    this.#now = startMs
    this.#start = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#start
  }

  after(ms: number, fn: () => void): Timer {
    const timer = setImmediate(() => {
      this.#now += ms
      fn()
    })
    return { clear: () => clearImmediate(timer) }
  }

  every(): Timer {
    throw new Error('Nothing of a release repeats by itself')
  }
}

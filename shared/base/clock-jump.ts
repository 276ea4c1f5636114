/**
 * Notices that wall time ran away from monotonic time: the machine slept (its monotonic clock stood still), or somebody
 * set the clock. Holders of something that ends at a time set by another machine, such as a ticket or a lease, then ask
 * for it again.
 */
import type { Clock } from './clock.ts'

/** NTP moves the wall clock by less than this at a time; sleep moves it by more. */
const jumpMs = 5_000

export class ClockJump {
  readonly #clock: Clock
  #offsetMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offsetMs = this.#offset()
  }

  /** Whether the clock jumped since the last look. */
  look(): boolean {
    const before = this.#offsetMs
    this.#offsetMs = this.#offset()
    return Math.abs(this.#offsetMs - before) > jumpMs
  }

  #offset(): number {
    return this.#clock.now() - this.#clock.monotonic()
  }
}

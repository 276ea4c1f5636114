/**
 * Notices that wall time ran away from monotonic time: the machine slept (its monotonic clock stood still), or somebody
 * set the clock. Whoever holds something that ends at a time of others, a ticket or a lease, then asks for it again.
 */
import type { Clock } from './clock.ts'

/** NTP moves the wall clock by less at a time; a laptop that slept moved it by more. */
const jumpMs = 5_000

export class ClockJump {
  readonly #clock: Clock
  #offsetMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offsetMs = this.#offset()
  }

  /** Whether it happened since the last look. */
  look(): boolean {
    const before = this.#offsetMs
    this.#offsetMs = this.#offset()
    return Math.abs(this.#offsetMs - before) > jumpMs
  }

  #offset(): number {
    return this.#clock.now() - this.#clock.monotonic()
  }
}

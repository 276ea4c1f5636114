/** Wall time as the control plane has it: tickets are judged by its clock, however wrong this machine's is. */
import type { Clock } from '@porttunneler/shared/base/clock'

export class ServerTime {
  readonly #clock: Clock
  #offsetMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** ms since the epoch; this machine's own time until the first correction. Follows the monotonic clock after it. */
  now(): number {
    return this.#offsetMs === undefined ? this.#clock.now() : this.#clock.monotonic() + this.#offsetMs
  }

  correct(serverNowMs: number): void {
    this.#offsetMs = serverNowMs - this.#clock.monotonic()
  }
}

/**
 * Wall time as the control plane has it: tickets are judged by the control plane's clock, however wrong this machine's
 * is.
 */
import type { Clock } from '@porttunneler/shared/base/clock'

/** One moment by all clocks: machines sleep, and their wall clocks are set. */
export type Moment = { readonly serverMs: number; readonly wallMs: number; readonly monotonicMs: number }

export class ServerTime {
  readonly #clock: Clock
  /** Server time less this machine's wall time at the last answer, in this process or the one before. */
  #wallOffsetMs: number
  /** Server time less monotonic time, once an answer has come. */
  #offsetMs: number | undefined
  readonly #madeAtMs: number

  constructor(clock: Clock, wallOffsetMs = 0) {
    this.#clock = clock
    this.#wallOffsetMs = wallOffsetMs
    this.#madeAtMs = clock.monotonic()
  }

  /**
   * ms since the epoch. Until the first correction it is this machine's own time, corrected by its last known error;
   * after that it follows the monotonic clock, whatever happens to the machine's clock.
   */
  now(): number {
    return this.#offsetMs === undefined
      ? this.#clock.now() + this.#wallOffsetMs
      : this.#clock.monotonic() + this.#offsetMs
  }

  /** The offset to keep for the next start. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs
  }

  /**
   * When this was made, at the start of the process; undefined until the first correction, because the clock of the
   * machine may be wrong, and a guess could not tell what came before the start.
   */
  get startedAtMs(): number | undefined {
    return this.#offsetMs === undefined ? undefined : this.#madeAtMs + this.#offsetMs
  }

  moment(): Moment {
    return { serverMs: this.now(), wallMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() }
  }

  correct(serverNowMs: number): void {
    this.#offsetMs = serverNowMs - this.#clock.monotonic()
    this.#wallOffsetMs = serverNowMs - this.#clock.now()
  }
}

/** Wall time as the control plane has it: tickets are judged by its clock, however wrong this machine's is. */
import type { Clock } from '@porttunneler/shared/base/clock'

/** One moment by all clocks: machines sleep, and their wall clocks are set. */
export type Moment = { readonly serverMs: number; readonly wallMs: number; readonly monotonicMs: number }

export class ServerTime {
  readonly #clock: Clock
  /** Server time less this machine's wall time, as of the last answer, in this life or the one before. */
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
   * ms since the epoch. Until the first correction this machine's own time, put right by as much as it was wrong when
   * last corrected; after it the monotonic clock, whatever becomes of the machine's.
   */
  now(): number {
    return this.#offsetMs === undefined
      ? this.#clock.now() + this.#wallOffsetMs
      : this.#clock.monotonic() + this.#offsetMs
  }

  /** To be kept for the next start. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs
  }

  /**
   * When this was made, at the start of the process; undefined until the first correction: no guess of a machine whose
   * clock may be wrong tells what came before it from what came after.
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

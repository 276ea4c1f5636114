/**
 * Finds out where the relays have gone. A relay that stays lost may have been replaced by one at another address, which
 * only the control plane knows. So it asks: soon at first, then ever more rarely, until every relay is connected. A
 * lost relay that is no longer named may only be restarting, so there is one more question when it is back or given up.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

export type RelayLookoutOptions = {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Every relay of the directory is connected. */
  isComplete(): boolean
  /** Asks the control plane where the relays are. */
  lookUp(): void
}

/** A relay that restarts in place is back before the first question. */
const firstMs = 3_000
const factor = 5
const maxMs = 300_000
/** All agents of a relay lose it at the same moment, but should not all ask at the same time. */
const jitter = 0.6
/** If five thousand agents ask within this time, that is 170 requests a second. */
const spreadMs = 30_000

export class RelayLookout {
  readonly #options: RelayLookoutOptions
  #timer: Timer | undefined
  #soon: Timer | undefined
  #asked = 0
  #owesOne = false

  constructor(options: RelayLookoutOptions) {
    this.#options = options
  }

  /** A relay was lost, or still is. */
  start(): void {
    const { clock, random } = this.#options
    const ms = Math.min(maxMs, firstMs * factor ** this.#asked)
    this.#timer ??= clock.after(ms * (1 - jitter + 2 * jitter * random()), () => this.#look())
  }

  /** Asks once more, even if every relay is connected by then. */
  startOwing(): void {
    this.#owesOne = true
    this.start()
  }

  /** A relay says that the list has changed, to all of its agents at once. */
  lookSoon(): void {
    const { clock, random, lookUp } = this.#options
    this.#soon ??= clock.after(spreadMs * random(), () => {
      this.#soon = undefined
      lookUp()
    })
  }

  close(): void {
    this.#soon?.clear()
    this.#timer?.clear()
  }

  #look(): void {
    this.#timer = undefined
    if (this.#options.isComplete() && !this.#owesOne) {
      this.#asked = 0
      return
    }
    this.#owesOne = false
    this.#asked += 1
    this.#options.lookUp()
    this.start()
  }
}

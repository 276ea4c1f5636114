/**
 * Up to when expired documents are removed. Nothing brings them back, and a clock that runs far ahead would have all of
 * them removed, the books of this month too. So a time that is far beyond what has passed is believed only when the
 * server has run by it for a day; until then it is as late as the time before says. Used by the control plane's rounds.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { globalCollection } from '@porttunneler/shared/control/names'
import type { Store } from '@porttunneler/shared/control/platform'

const dayMs = 24 * 3_600_000
/** A restart or a machine that slept is within it; more is rare, and then a day's wait costs nothing. */
const leapMs = 2 * dayMs
const writeEveryMs = 3_600_000

/** Id: `sqlite`. The last time that was believed. */
type PurgeDoc = { readonly at: number }
const ref = globalCollection<PurgeDoc>('purges').ref('sqlite')

export class PurgeTime {
  readonly #store: Pick<Store, 'get' | 'set'>
  readonly #clock: Clock
  /** Wall time that is believed, and the monotonic time of it. */
  #believed: { readonly at: number; readonly monotonic: number } | undefined
  #doubtedSince: number | undefined
  #writtenAt = Number.NEGATIVE_INFINITY

  constructor(store: Pick<Store, 'get' | 'set'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** What has expired before it may go. */
  async read(): Promise<number> {
    const [now, monotonic] = [this.#clock.now(), this.#clock.monotonic()]
    // A store that was never asked has nothing to compare with.
    this.#believed ??= { at: (await this.#store.get(ref))?.data.at ?? now, monotonic }
    const expected = this.#believed.at + (monotonic - this.#believed.monotonic)
    if (now > expected + leapMs) {
      this.#doubtedSince ??= monotonic
      if (monotonic - this.#doubtedSince < dayMs) return expected
    }
    this.#doubtedSince = undefined
    this.#believed = { at: now, monotonic }
    if (monotonic - this.#writtenAt >= writeEveryMs) {
      await this.#store.set(ref, { at: now })
      this.#writtenAt = monotonic
    }
    return now
  }
}

/**
 * Adds up what the relays of a cell report. One entry a relay, keyed by its address; a relay that has been silent for
 * `silentMs` no longer counts, so that a lost one does not freeze its last rate into the sum.
 */
import type { LiveSample } from '@porttunneler/shared/api/schemas/tunnels'
import { addFigures, type Counters, type Figures, noRates, type Rates, ratesBetween } from './rates.ts'

/** Samples come once a second; five missed ones are no hiccup. */
const silentMs = 5_000

/**
 * A fresh stream begins with a sample at once, perhaps milliseconds after the last one of the stream before it. A rate
 * over so short a time would be a spike or a hole in the chart.
 */
const spanMsMin = 500

type Entry = {
  readonly at: number
  readonly seenMs: number
  readonly tunnels: ReadonlyMap<string, { readonly counters: Counters; readonly rates: Rates }>
}

export class Ledger {
  readonly #sources = new Map<string, Entry>()

  /** `nowMs` is monotonic time of arrival; rates follow the relay's own times in the samples. */
  take(source: string, sample: LiveSample, nowMs: number): void {
    const before = this.#sources.get(source)
    const elapsedMs = before ? sample.at - before.at : 0
    if (before && Math.abs(elapsedMs) < spanMsMin) {
      this.#sources.set(source, { ...before, seenMs: nowMs })
      return
    }
    const tunnels = new Map(
      Object.entries(sample.tunnels).map(([id, counters]) => {
        const last = before?.tunnels.get(id)
        if (!last) return [id, { counters, rates: noRates }]
        // Time that went back is a clock that was set: what was known of the rate still holds.
        const rates = elapsedMs > 0 ? ratesBetween(last.counters, counters, elapsedMs) : last.rates
        return [id, { counters, rates }]
      }),
    )
    this.#sources.set(source, { at: sample.at, seenMs: nowMs, tunnels })
  }

  /** Forgets the relays that are not in `sources` any more. */
  keepOnly(sources: readonly string[]): void {
    for (const source of this.#sources.keys()) if (!sources.includes(source)) this.#sources.delete(source)
  }

  /** How many relays have been heard lately. */
  liveSources(nowMs: number): number {
    return this.#live(nowMs).length
  }

  sum(nowMs: number): Map<string, Figures> {
    const sums = new Map<string, Figures>()
    for (const { tunnels } of this.#live(nowMs)) {
      for (const [id, { counters, rates }] of tunnels) {
        const figures = { ...counters, rttMs: counters.rttMs, rates }
        const others = sums.get(id)
        sums.set(id, others ? addFigures(others, figures) : figures)
      }
    }
    return sums
  }

  #live(nowMs: number): Entry[] {
    return [...this.#sources.values()].filter((entry) => nowMs - entry.seenMs < silentMs)
  }
}

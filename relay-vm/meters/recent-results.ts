/** How the requests of a tunnel were answered lately, by steps of a fixed length; steps without any take no room. */
import { codesMax, otherCode, timesShape } from '@porttunneler/shared/api/schemas/results'
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import type { Growth } from './result-growth.ts'

type Step = LiveHistory['minutes'][number]
type Kept = {
  readonly answers: Uint32Array
  readonly times: Uint32Array
  readonly codes: Map<string, number>
}

export class RecentResults {
  /** By their number since the epoch. */
  readonly #steps = new Map<number, Kept>()
  readonly #classes: number
  readonly #stepMs: number
  readonly #most: number

  /**
   * @param classes the classes of answers, which come first in their row
   * @param most steps that are kept
   */
  constructor(classes: number, { stepMs, most }: { readonly stepMs: number; readonly most: number }) {
    this.#classes = classes
    this.#stepMs = stepMs
    this.#most = most
  }

  add(nowMs: number, { answers, times, codes }: Growth): void {
    if (!answers && !times && codes.length === 0) return
    const kept = this.#keptAt(Math.floor(nowMs / this.#stepMs))
    if (answers) addTo(kept.answers, answers)
    if (times) addTo(kept.times, times)
    for (const [code, count] of codes) {
      const place = kept.codes.has(code) || kept.codes.size < codesMax ? code : otherCode
      kept.codes.set(place, (kept.codes.get(place) ?? 0) + count)
    }
  }

  /** Oldest first, those that did not end before `since`. */
  read(nowMs: number, since: number): Step[] {
    const now = Math.floor(nowMs / this.#stepMs)
    const from = Math.max(now - this.#most, Math.floor(since / this.#stepMs) - 1)
    return [...this.#steps]
      .filter(([step]) => step > from && step <= now)
      .sort(([a], [b]) => a - b)
      .map(([step, { answers, times, codes }]) => ({
        at: step * this.#stepMs,
        answers: [...answers],
        times: withoutEnd(times),
        ...(codes.size > 0 && { codes: Object.fromEntries(codes) }),
      }))
  }

  #keptAt(step: number): Kept {
    const known = this.#steps.get(step)
    if (known) return known
    const made: Kept = {
      answers: new Uint32Array(this.#classes),
      times: new Uint32Array(timesShape.width),
      codes: new Map(),
    }
    this.#steps.set(step, made)
    // A clock that was put back leaves steps of a time to come, which go too.
    for (const each of this.#steps.keys())
      if (each <= step - this.#most || each > step) this.#steps.delete(each)
    return made
  }
}

function addTo(sums: Uint32Array, counts: Float64Array): void {
  for (const at of sums.keys()) sums[at] = (sums[at] ?? 0) + (counts[at] ?? 0)
}

/** Zeros at the end are left out. */
function withoutEnd(counts: Uint32Array): number[] {
  return [...counts].slice(0, counts.findLastIndex(Boolean) + 1)
}

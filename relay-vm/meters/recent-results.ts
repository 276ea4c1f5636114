/** How the requests of a tunnel's last hour were answered, by minute; minutes without any take no room. */
import { codesMax, otherCode, timesShape } from '@porttunneler/shared/api/schemas/results'
import type { LiveHistory } from '@porttunneler/shared/api/schemas/tunnels'
import type { Growth } from './result-growth.ts'

const minuteMs = 60_000
const minutesMax = 60
type Minute = LiveHistory['minutes'][number]
type Kept = {
  readonly answers: Uint32Array
  readonly times: Uint32Array
  readonly codes: Map<string, number>
}

export class RecentResults {
  /** By their number since the epoch. */
  readonly #minutes = new Map<number, Kept>()
  readonly #classes: number

  /** @param classes the classes of answers, which come first in their row */
  constructor(classes: number) {
    this.#classes = classes
  }

  add(nowMs: number, { answers, times, codes }: Growth): void {
    if (!answers && !times && codes.length === 0) return
    const kept = this.#keptAt(Math.floor(nowMs / minuteMs))
    if (answers) addTo(kept.answers, answers)
    if (times) addTo(kept.times, times)
    for (const [code, count] of codes) {
      const place = kept.codes.has(code) || kept.codes.size < codesMax ? code : otherCode
      kept.codes.set(place, (kept.codes.get(place) ?? 0) + count)
    }
  }

  /** Oldest first, those that did not end before `since`. */
  read(nowMs: number, since: number): Minute[] {
    const now = Math.floor(nowMs / minuteMs)
    const from = Math.max(now - minutesMax, Math.floor(since / minuteMs) - 1)
    return [...this.#minutes]
      .filter(([minute]) => minute > from && minute <= now)
      .sort(([a], [b]) => a - b)
      .map(([minute, { answers, times, codes }]) => ({
        at: minute * minuteMs,
        answers: [...answers],
        times: withoutEnd(times),
        ...(codes.size > 0 && { codes: Object.fromEntries(codes) }),
      }))
  }

  #keptAt(minute: number): Kept {
    const known = this.#minutes.get(minute)
    if (known) return known
    const made: Kept = {
      answers: new Uint32Array(this.#classes),
      times: new Uint32Array(timesShape.width),
      codes: new Map(),
    }
    this.#minutes.set(minute, made)
    // A clock that was put back leaves minutes of a time to come, which go too.
    for (const each of this.#minutes.keys())
      if (each <= minute - minutesMax || each > minute) this.#minutes.delete(each)
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

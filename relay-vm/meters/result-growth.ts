/**
 * What a tunnel's results have grown by since somebody looked last. The journal and the history look at different
 * times, so each has one of these for each meter.
 */
import { answerShape } from '@porttunneler/shared/api/schemas/relays'
import { timesShape } from '@porttunneler/shared/api/schemas/results'
import { codes } from '@porttunneler/shared/base/errors'
import type { TunnelMeter } from './tunnel-meter.ts'

export type Growth = {
  /** Places as in `answerShape` and `timesShape`; undefined: there were none. Good until the next look. */
  readonly answers?: Float64Array
  readonly times?: Float64Array
  /** By status or code, only those that grew. */
  readonly codes: readonly (readonly [code: string, count: number])[]
}

export class ResultGrowth {
  #answers: Tally | undefined
  #times: Tally | undefined
  readonly #codes = new Map<string, number>()

  look(meter: TunnelMeter): Growth {
    const { answerCounts } = meter
    const grown: [string, number][] = []
    for (const [code, count] of countsOf(meter)) {
      const before = this.#codes.get(code) ?? 0
      if (count === before) continue
      this.#codes.set(code, count)
      grown.push([code, count - before])
    }
    if (!answerCounts) return { codes: grown }
    this.#answers ??= new Tally(answerShape.width)
    this.#times ??= new Tally(timesShape.width)
    const answers = this.#answers.grow(answerCounts.counts)
    const times = this.#times.grow(answerCounts.times)
    return { ...(answers && { answers }), ...(times && { times }), codes: grown }
  }
}

/** Statuses of upstreams, and what visitors met instead of an answer. */
function* countsOf(meter: TunnelMeter): Generator<readonly [code: string, count: number]> {
  for (const [key, count] of meter.refusals()) yield [codes[key].code, count]
  if (meter.answerCounts) yield* meter.answerCounts.statuses
}

/** One list of counts as it was, and what it has grown by. */
class Tally {
  readonly #before: Float64Array
  readonly #grown: Float64Array

  constructor(width: number) {
    this.#before = new Float64Array(width)
    this.#grown = new Float64Array(width)
  }

  grow(counts: Float64Array): Float64Array | undefined {
    let isMore = false
    for (const [at, count] of counts.entries()) {
      const more = count - (this.#before[at] ?? 0)
      this.#grown[at] = more
      isMore ||= more > 0
    }
    if (!isMore) return undefined
    this.#before.set(counts)
    return this.#grown
  }
}

/**
 * How requests of a tunnel were answered, how soon, and how often its upstream failed, counted since this process
 * started. Shown in charts, never billed.
 */

import {
  type AnswerPlace,
  answerPlaces,
  answerShape,
  latencyBoundsMs,
} from '@porttunneler/shared/api/schemas/relays'
import { otherCode, timesShape } from '@porttunneler/shared/api/schemas/results'
import { timeBucketOf } from '@porttunneler/shared/base/latency'

const firstRefusal = 400
const lastStatus = 999
/** An upstream may answer with any of 600: the first that come are told apart, and the rest are counted together. */
const statusesMax = 64

export class AnswerCounts {
  /** Places as in `answerShape`. */
  readonly counts = new Float64Array(answerShape.width)
  /** Places as in `timesShape`. */
  readonly times = new Float64Array(timesShape.width)
  /** Statuses from 400 on. */
  readonly statuses = new Map<string, number>()

  answered(status: number, latencyMs: number): void {
    this.#count(classOf(status))
    const bucket = latencyBoundsMs.findIndex((bound) => latencyMs <= bound)
    const at = answerPlaces.latency + (bucket < 0 ? latencyBoundsMs.length : bucket)
    this.counts[at] = (this.counts[at] ?? 0) + 1
    const time = timeBucketOf(latencyMs)
    this.times[time] = (this.times[time] ?? 0) + 1
    if (status < firstRefusal) return
    const code = `${status}`
    const isTold = this.statuses.has(code) || (status <= lastStatus && this.statuses.size < statusesMax)
    const place = isTold ? code : otherCode
    this.statuses.set(place, (this.statuses.get(place) ?? 0) + 1)
  }

  unanswered(): void {
    this.#count('unanswered')
  }

  #count(place: AnswerPlace): void {
    const at = answerPlaces[place]
    this.counts[at] = (this.counts[at] ?? 0) + 1
  }
}

function classOf(status: number): AnswerPlace {
  if (status >= 500) return 'serverError'
  if (status >= 400) return 'clientError'
  if (status >= 300) return 'redirected'
  return status >= 200 ? 'successful' : 'upgraded'
}

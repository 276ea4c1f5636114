/**
 * How requests of a tunnel were answered, and how often its upstream failed, counted since this process started. Shown
 * in charts, never billed.
 */
import {
  type AnswerPlace,
  answerPlaces,
  answerShape,
  latencyBoundsMs,
} from '@porttunneler/shared/api/schemas/relays'

export class AnswerCounts {
  /** Places as in `answerShape`. */
  readonly counts = new Float64Array(answerShape.width)

  answered(status: number, latencyMs: number): void {
    this.#count(classOf(status))
    const bucket = latencyBoundsMs.findIndex((bound) => latencyMs <= bound)
    const at = answerPlaces.latency + (bucket < 0 ? latencyBoundsMs.length : bucket)
    this.counts[at] = (this.counts[at] ?? 0) + 1
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

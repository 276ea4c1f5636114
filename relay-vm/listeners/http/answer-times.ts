/**
 * How requests of one stream were answered, for charts: the status of each answer, and how long its head was in coming.
 * Looks at the first bytes of an answer alone. Requests that were sent before the answer to another count as one with
 * it.
 */
import type { Buffer } from 'node:buffer'

export type AnswerSink = {
  /** Monotonic, ms. */
  now(): number
  answered(status: number, latencyMs: number): void
  /** The upstream ended or failed before it had said anything to a request. */
  unanswered(): void
}

/** "HTTP/1.1 200" */
const statusLineBytes = 12
/** Of interim answers; those with longer heads are not looked behind. */
const textMax = 1_024
const statusPattern = /^HTTP\/1\.[01] ([1-5]\d\d)/

export class AnswerTimes {
  readonly #sink: AnswerSink
  #askedMs: number | undefined
  /** What came of the answer so far, where that was not enough. */
  #text = ''

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** Whether an answer is still to come: only then `heard` has anything to do. */
  get isWaiting(): boolean {
    return this.#askedMs !== undefined
  }

  asked(): void {
    this.#askedMs ??= this.#sink.now()
  }

  heard(bytes: Buffer): void {
    if (this.#askedMs === undefined) return
    // One piece is enough for most answers; an interim answer, or a piece that ends early, needs what comes behind it.
    const wanted = this.#text === '' && isFinal(bytes) ? statusLineBytes : textMax - this.#text.length
    this.#text += bytes.toString('latin1', 0, wanted)
    const status = this.#statusOf()
    if (status === undefined) return
    if (status > 0) this.#sink.answered(status, this.#sink.now() - this.#askedMs)
    this.#askedMs = undefined
    this.#text = ''
  }

  /** Undefined: more is to come. 0: it cannot be told. */
  #statusOf(): number | undefined {
    while (this.#text.length >= statusLineBytes) {
      const status = Number(statusPattern.exec(this.#text)?.[1] ?? 0)
      if (status === 0 || status === 101 || status >= 200) return status
      const end = this.#text.indexOf('\r\n\r\n')
      if (end < 0) return this.#text.length >= textMax ? 0 : undefined
      this.#text = this.#text.slice(end + 4)
    }
    return undefined
  }

  failed(): void {
    if (this.#askedMs === undefined) return
    this.#askedMs = undefined
    this.#text = ''
    this.#sink.unanswered()
  }
}

/** Whether the digits of the status say so: 1xx is not, but for 101. */
function isFinal(bytes: Buffer): boolean {
  return bytes.length >= statusLineBytes && bytes[9] !== 0x31
}

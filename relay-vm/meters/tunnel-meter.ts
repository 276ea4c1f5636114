/**
 * What the relay counts for one tunnel. Counters are cumulative since this process started and never go back. Bytes of
 * open streams are added when somebody reads, so the data path counts nothing twice.
 */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { AnswerCounts } from './answer-counts.ts'

/** The two counters a stream keeps, from the relay's side: `bytesIn` came from the agent, `bytesOut` went to it. */
export type CountedStream = {
  readonly bytesIn: number
  readonly bytesOut: number
  /** Whose it is; tests that only count leave it out. */
  readonly info?: { readonly visitorAddress: string; readonly visitorPort: number; readonly atMs: number }
}

export type MeterReading = {
  /** Bytes from visitors. */
  readonly in: number
  /** Bytes to visitors. */
  readonly out: number
  readonly opened: number
  readonly closed: number
  readonly refused: number
  readonly active: number
}

export class TunnelMeter {
  readonly tunnel: string
  readonly account: string
  readonly #streams = new Set<CountedStream>()
  readonly #refused = new Map<ErrorKey, number>()
  #answers: AnswerCounts | undefined
  #in = 0
  #out = 0
  #opened = 0

  constructor({ tunnel, account }: { readonly tunnel: string; readonly account: string }) {
    this.tunnel = tunnel
    this.account = account
  }

  /** Made when the first request is answered. */
  get answers(): AnswerCounts {
    this.#answers ??= new AnswerCounts()
    return this.#answers
  }

  /** undefined: no request was ever counted. */
  get answerCounts(): AnswerCounts | undefined {
    return this.#answers
  }

  /** Those that are open, oldest first. */
  open(): Iterable<CountedStream> {
    return this.#streams
  }

  get active(): number {
    return this.#streams.size
  }

  /** @param isAgain for a visitor whose first stream failed and who was counted then */
  opened(stream: CountedStream, isAgain = false): void {
    this.#streams.add(stream)
    if (!isAgain) this.#opened += 1
  }

  /** Call it when the stream's counters are final. Calling it again changes nothing. */
  closed(stream: CountedStream): void {
    if (!this.#streams.delete(stream)) return
    this.#in += stream.bytesOut
    this.#out += stream.bytesIn
  }

  refused(reason: ErrorKey): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  /** A visitor of a tcp or tls tunnel was let in and did not get to the upstream. */
  missed(reason: ErrorKey): void {
    this.refused(reason)
    if (reason.startsWith('upstream.') || reason === 'open.deadline') this.answers.unanswered()
  }

  refusals(): ReadonlyMap<ErrorKey, number> {
    return this.#refused
  }

  read(): MeterReading {
    let bytesIn = this.#in
    let bytesOut = this.#out
    for (const stream of this.#streams) {
      bytesIn += stream.bytesOut
      bytesOut += stream.bytesIn
    }
    let refused = 0
    for (const count of this.#refused.values()) refused += count
    const active = this.#streams.size
    return {
      in: bytesIn,
      out: bytesOut,
      opened: this.#opened,
      closed: this.#opened - active,
      refused,
      active,
    }
  }
}

/**
 * One stream of a visitor connection, as the HTTP listener uses it: requests go in already checked, answers go to the
 * visitor unread. Most connections have one; a later Upgrade request retires it and starts another. The stream is there
 * at once, or comes when one of several agents has reached its upstream: what is written meanwhile is kept, and it is
 * little, because the visitor is not read on.
 */
import type { Socket } from 'node:net'
import { type ErrorKey, isFailure, keyOfCode } from '@porttunneler/shared/base/errors'
import { AnswerWatch } from '@porttunneler/shared/http/answer'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { Delivery } from '@porttunneler/shared/mux/splice'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import type { Turn } from '@porttunneler/shared/mux/turn'
import type { HttpRoute, HttpVisitorInfo, Waiting } from './deps.ts'

export type ExchangeOptions = {
  readonly route: HttpRoute
  readonly info: HttpVisitorInfo
  readonly socket: Socket
  readonly turn: Turn
}

export type ExchangeEvents = {
  onWritable(): void
  /** Whether the upstream accepted the Upgrade that opened this stream. */
  onUpgradeAnswer(isUpgraded: boolean): void
  /** The upstream ended. `unanswered` is the first request if the upstream had not sent a byte since. */
  onFin(unanswered: RequestHead | undefined): void
  /** `hadEnded`: the upstream had sent all; whether it got the rest of the request does not matter to the visitor. */
  onReset(key: ErrorKey, unanswered: RequestHead | undefined, hadEnded: boolean): void
  /** A retired stream sent bytes, which have no place any more. */
  onLate(): void
}

type LateEnd =
  | { readonly kind: 'close' | 'cut' }
  | { readonly kind: 'page'; readonly key: ErrorKey; readonly head: RequestHead | undefined }

/** @returns why the visitor may not have one; the route has counted that */
export function openExchange(options: ExchangeOptions, events: ExchangeEvents): Exchange | ErrorKey {
  try {
    return new Exchange(options, events)
  } catch (error) {
    if (!isFailure(error)) throw error
    return error.key
  }
}

export class Exchange implements StreamSink {
  readonly #route: HttpRoute
  readonly #socket: Socket
  readonly #turn: Turn
  readonly #events: ExchangeEvents
  readonly #waiting: Waiting | undefined
  /** Undefined while it is to come. */
  #link: { readonly stream: Stream; readonly delivery: Delivery } | undefined
  /** What was written before it came. */
  readonly #held: Buffer[] = []
  readonly #answer: AnswerWatch
  /** The first request, until the upstream sends something. */
  #unanswered: RequestHead | undefined
  /** The last request, until something was sent in answer. */
  #asked: RequestHead | undefined
  #forwardedTotal = 0
  #resetBy: ErrorKey | undefined
  #isRetired = false
  #isEnded = false
  #sawFin = false
  /** Set while somebody waits for the end of the answers. */
  #onAnswered: ((mayFollow: boolean) => void) | undefined

  /** @throws what `route.open` throws */
  constructor(options: ExchangeOptions, events: ExchangeEvents) {
    this.#route = options.route
    this.#socket = options.socket
    this.#turn = options.turn
    this.#events = events
    const { answers } = options.route
    this.#answer = new AnswerWatch((status, askedMs) => answers.answered(status, answers.now() - askedMs))
    this.#waiting = options.route.open(options.info, {
      onStream: (stream) => this.#join(stream),
      onFailed: (key) => this.#failed(key),
    })
  }

  /** A request was forwarded: an Upgrade may not follow on this stream. */
  get hasForwarded(): boolean {
    return this.#forwardedTotal > 0
  }

  /** All requests are answered in full, or the last answer said that the rest will not be. */
  get isAnswered(): boolean {
    return this.#answer.isComplete
  }

  /**
   * How to end a connection on which nothing has moved for the longest time allowed. A page may be the answer to the
   * last request when no byte of an answer has come and nothing is open before it.
   */
  lateEnd(isVisitorLate: boolean): LateEnd {
    if (this.isAnswered) return { kind: 'close' }
    if (!this.#unanswered && !this.#answer.hasRoom) return { kind: 'cut' }
    const key = isVisitorLate ? 'http.body_deadline' : 'http.answer_deadline'
    return { kind: 'page', key, head: this.#unanswered ?? this.#asked }
  }

  /** Whether everything that the upstream still sends must be for the last request. */
  get hasOneUnanswered(): boolean {
    return this.#answer.unansweredTotal === 1
  }

  /** Rises with every byte either way. */
  get progress(): number {
    const stream = this.#link?.stream
    return stream ? stream.bytesIn + stream.bytesOut : 0
  }

  /** @returns false: stop until `onWritable` */
  forward(head: RequestHead, bytes: Buffer): boolean {
    if (this.#forwardedTotal++ === 0) this.#unanswered = head
    this.#asked = head
    this.#answer.asked(head.method, this.#route.answers.now())
    return this.write(bytes)
  }

  /** `bytes` stay the caller's. False: stop until `onWritable`. */
  write(bytes: Buffer): boolean {
    if (this.#link) return this.#link.stream.write(bytes)
    this.#held.push(Buffer.from(bytes))
    return false
  }

  reset(key: ErrorKey): void {
    this.#resetBy = key
    if (this.#link) this.#link.stream.reset(key)
    else this.#waiting?.cancel()
  }

  /** Resets the upstream; what came from it is with the visitor's socket. */
  cut(key: ErrorKey): void {
    this.reset(key)
    this.#flush()
  }

  end(): void {
    this.#isEnded = true
    this.#flush()
    this.#link?.stream.end()
  }

  /** The visitor has gone, or nothing more can come of it. The upstream still gets the requests. */
  leave(): void {
    const stream = this.#link?.stream
    const isOver = this.#isEnded && this.#sawFin
    if (!stream) {
      if (!isOver) this.#waiting?.cancel()
      return
    }
    const isDone = isOver || this.isAnswered
    if (!isOver) stream.resetBehind('stream.aborted')
    this.#route.closed(stream, isDone ? 'done' : (this.#resetBy ?? 'stream.aborted'))
  }

  /** Once all is answered: nothing more is read from it, unless it sends bytes out of turn. */
  retire(): void {
    this.#isRetired = true
    this.#link?.delivery.detach()
    this.end()
  }

  /**
   * Calls `done` once all requests so far are answered in full. All bytes so far are written by then, and anything else
   * that the socket gets comes behind them. `mayFollow` is false when the last answer has said that none follows, or
   * when nobody can tell whether the present answer is complete: a visitor that asks for something else takes it for
   * complete. If an answer ends with its stream, or proves strange only later, its end is awaited, and `done` is never
   * called.
   *
   * An answer of ours (421, 400) inside another answer would be taken for a part of it, and one before it would be
   * taken for it.
   */
  whenAnswered(done: (mayFollow: boolean) => void): void {
    this.#onAnswered = done
    this.#tellIfAnswered(this.isAnswered || this.#answer.isLost)
  }

  #tellIfAnswered(isAnswered = this.isAnswered): void {
    const done = this.#onAnswered
    if (!done || !isAnswered) return
    this.#onAnswered = undefined
    this.#flush()
    done(this.#answer.mayFollow)
  }

  onData(bytes: Buffer): void {
    this.#unanswered = this.#asked = undefined
    if (this.#isRetired) this.#events.onLate()
    else {
      this.#answer.heard(bytes)
      this.#link?.delivery.write(bytes)
      this.#tellIfAnswered()
    }
  }

  onFin(): void {
    this.#countUnanswered()
    this.#sawFin = true
    this.#flush()
    if (!this.#isRetired) this.#events.onFin(this.#unanswered)
  }

  onWritable(): void {
    if (!this.#isRetired) this.#events.onWritable()
  }

  onReset(code: number): void {
    this.#failed(keyOfCode(code) ?? 'stream.aborted')
  }

  #failed(key: ErrorKey): void {
    const hadEnded = this.#sawFin
    this.#countUnanswered()
    this.#isEnded = this.#sawFin = true
    if (!this.#isRetired) this.#events.onReset(key, this.#unanswered, hadEnded)
  }

  /** The upstream has ended by FIN or by reset, and may do both. */
  #countUnanswered(): void {
    if (this.#sawFin) return
    for (let left = this.#answer.unansweredTotal; left > 0; left--) this.#route.answers.unanswered()
  }

  onUpgraded(): void {
    if (!this.#isRetired) this.#events.onUpgradeAnswer(true)
  }

  onPlain(): void {
    if (!this.#isRetired) this.#events.onUpgradeAnswer(false)
  }

  /** What was heard is written now: whatever else the socket gets comes behind it. */
  #flush(): void {
    this.#link?.delivery.finish()
  }

  /** Where nothing was held, nobody waits to go on: the stream is there at once. */
  #join(stream: Stream): void {
    stream.serve(this)
    this.#link = { stream, delivery: new Delivery(this.#socket, stream, this.#turn) }
    let mayGoOn = this.#held.length > 0
    for (const bytes of this.#held.splice(0)) mayGoOn = stream.write(bytes)
    if (this.#isEnded) stream.end()
    else if (mayGoOn) this.onWritable()
  }
}

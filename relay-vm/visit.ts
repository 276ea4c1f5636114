/**
 * One visitor's stream, between the session and the sink that uses it: it watches the OPEN deadline, tells the meter
 * when the stream is really over, and lets the sink be set after the stream exists.
 */
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, wireCode } from '@porttunneler/shared/base/errors'
import type { Stream } from '@porttunneler/shared/mux/stream'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Route } from './routes.ts'
import type { SessionHandle } from './session-handle.ts'

export type VisitOptions = {
  readonly clock: Clock
  /** The agent took so long to connect to the upstream, ms. */
  onConnected(route: Route, connectMs: number): void
}

export class Visit implements StreamSink {
  readonly route: Route
  /** Monotonic. */
  readonly startedMs: number
  readonly #session: SessionHandle
  #sink: StreamSink
  readonly #options: VisitOptions
  readonly #onEnd: (stream: Stream) => void
  #stream: Stream | undefined
  #openTimer: Timer | undefined
  #isConnected = false
  #isOver = false
  #seenBytes = -1

  constructor(
    place: { readonly route: Route; readonly session: SessionHandle },
    sink: StreamSink,
    options: VisitOptions,
    onEnd: (stream: Stream) => void,
  ) {
    this.route = place.route
    this.#session = place.session
    this.#sink = sink
    this.#options = options
    this.#onEnd = onEnd
    this.startedMs = options.clock.monotonic()
  }

  get stream(): Stream {
    if (this.#stream === undefined) throw new Error('The visit has no stream yet')
    return this.#stream
  }

  /** What the agent says goes there from now on. */
  serve(sink: StreamSink): void {
    this.#sink = sink
  }

  /** The agent has reached the upstream. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Whether it waits for the agent of that session, of which it has not heard yet. */
  isWaitingFor(session: SessionHandle): boolean {
    return this.#session === session && this.stream.state === 'opening'
  }

  /** @param isAgain for a visitor that was counted when another agent was asked */
  start(stream: Stream, isAgain = false): void {
    this.#stream = stream
    this.route.meter.opened(stream, isAgain)
    this.#openTimer = this.#options.clock.after(limits.openDeadlineMs, () => this.cut('open.deadline'))
  }

  onData(bytes: Buffer): void {
    this.#sink.onData(bytes)
  }

  onFin(): void {
    this.#sink.onFin()
  }

  onWritable(): void {
    this.#sink.onWritable()
  }

  onReset(code: number): void {
    this.#finish()
    this.#sink.onReset(code)
  }

  onClosed(): void {
    this.#finish()
    this.#sink.onClosed?.()
  }

  onOpened(connectMs: number): void {
    this.#forgetDeadline()
    if (!this.#isConnected) this.#options.onConnected(this.route, connectMs)
    this.#isConnected = true
    this.#sink.onOpened?.(connectMs)
  }

  onUpgraded(): void {
    this.#sink.onUpgraded?.()
  }

  onPlain(): void {
    this.#sink.onPlain?.()
  }

  /** Whether nothing has moved since it was asked last; the first time it says no. */
  isStill(): boolean {
    const { bytesIn, bytesOut } = this.stream
    const before = this.#seenBytes
    this.#seenBytes = bytesIn + bytesOut
    return before === this.#seenBytes
  }

  /** Resets the stream at both ends. */
  cut(reason: ErrorKey): void {
    if (this.#isOver) return
    this.stream.reset(reason)
    this.onReset(wireCode(reason))
  }

  /** What was written may still be on its way to the agent: then the session says when it is over. */
  localEnded(): void {
    const { state, sink } = this.stream
    if (state === 'resetting' || state === 'closed' || sink !== this) this.#finish()
  }

  /** What a timer was made of would otherwise stay for as long as the visitor does. */
  #forgetDeadline(): void {
    this.#openTimer?.clear()
    this.#openTimer = undefined
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forgetDeadline()
    this.route.meter.closed(this.stream)
    this.#onEnd(this.stream)
  }
}

/**
 * The frames of a session that belong to no stream: who may send which, parsed and handed on to the session's owner.
 * GOAWAY changes the session itself and is its own business (session.ts).
 */
import type { Clock } from '../base/clock.ts'
import { fail, type PortTunnelerError } from '../base/errors.ts'
import { decodeJson, FrameType, type Payload } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { bindSchema, boundSchema, noticeSchema, unbindSchema, unboundSchema } from '../protocol/messages.ts'
import type { OpenInfo, Stream, StreamSink } from './stream.ts'

export type SessionEvents = {
  /** Agent: a visitor came. Answers where its bytes go; then dials and calls `stream.opened`, or `stream.reset`. */
  onOpen?(stream: Stream, info: OpenInfo): StreamSink
  /** Relay: answer by `bound` or `refuseBind`. */
  onBind?(bind: number, ticket: string): void
  onUnbind?(bind: number): void
  /** Agent. */
  onBound?(bind: number, endpoint: string): void
  /** Agent: the BIND was refused, or the binding was withdrawn later. */
  onUnbound?(bind: number, code: string, message: string): void
  onGoAway?(code: string, graceMs: number, redialMs: number): void
  onNotice?(code: string, text: string): void
  /** Exactly once, after every stream heard its end. */
  onClosed(reason: PortTunnelerError): void
}

export class SessionFrames {
  readonly #side: 'relay' | 'agent'
  readonly #clock: Clock
  readonly #events: SessionEvents
  #bindsHeard = 0
  #bindsSinceMs = 0

  constructor({
    side,
    clock,
    events,
  }: {
    readonly side: 'relay' | 'agent'
    readonly clock: Clock
    readonly events: SessionEvents
  }) {
    this.#side = side
    this.#clock = clock
    this.#events = events
  }

  /** @throws frame.unexpected, frame.malformed, control.flood: the session ends */
  take(type: FrameType, payload: Payload): void {
    if (type === FrameType.notice) this.#onNotice(payload)
    else if (this.#side === 'relay') this.#onAgentFrame(type, payload)
    else this.#onRelayFrame(type, payload)
  }

  #onNotice(payload: Payload): void {
    const { code, text } = decodeJson(noticeSchema, payload)
    this.#events.onNotice?.(code, text)
  }

  #onRelayFrame(type: FrameType, payload: Payload): void {
    if (type === FrameType.bound) {
      const { bind, endpoint } = decodeJson(boundSchema, payload)
      this.#events.onBound?.(bind, endpoint)
    } else if (type === FrameType.unbound) {
      const { bind, code, message } = decodeJson(unboundSchema, payload)
      this.#events.onUnbound?.(bind, code, message)
    } else throw fail('frame.unexpected')
  }

  #onAgentFrame(type: FrameType, payload: Payload): void {
    if (type === FrameType.bind) {
      this.#countBind()
      const { bind, ticket } = decodeJson(bindSchema, payload)
      this.#events.onBind?.(bind, ticket)
    } else if (type === FrameType.unbind) this.#events.onUnbind?.(decodeJson(unbindSchema, payload).bind)
    else throw fail('frame.unexpected')
  }

  #countBind(): void {
    const now = this.#clock.monotonic()
    if (now - this.#bindsSinceMs > 60_000) {
      this.#bindsSinceMs = now
      this.#bindsHeard = 0
    }
    this.#bindsHeard += 1
    if (this.#bindsHeard > limits.bindsPerSession) throw fail('control.flood')
  }
}

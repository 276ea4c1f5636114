/**
 * The association of one agent and one relay: streams over a carrier, bindings, liveness, an orderly end. The same
 * class at both ends; `side` decides who opens streams (relay) and who binds (agent). Wire protocol, rules 1 to 9.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { codes, type ErrorKey, fail, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import {
  decodeJson,
  decodeOpen,
  encodeJson,
  encodeOpen,
  FrameType,
  type Payload,
  readU48,
  resetAck,
  resetGone,
} from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { goAwaySchema } from '../protocol/messages.ts'
import { Budget, takeWindow } from './budget.ts'
import type { Carrier, CarrierHandler } from './carrier.ts'
import type { Liveness } from './liveness.ts'
import { Schedule } from './schedule.ts'
import { type SessionEvents, SessionFrames } from './session-frames.ts'
import { type OpenInfo, Stream, type StreamSink, sessionLostCode } from './stream.ts'

export type SessionOptions = {
  readonly side: 'relay' | 'agent'
  readonly id: string
  readonly carrier: Carrier
  readonly clock: Clock
  readonly liveness: Liveness
  /** The process's budget; the session takes its own share of it. */
  readonly budget: Budget
  /** What the agent said in HELLO: how much the relay may send on a new stream at once, bytes. */
  readonly agentWindow: number
  readonly events: SessionEvents
}

/** open: all goes; draining: GOAWAY was said, no new streams; closed: over. */
export type SessionState = 'open' | 'draining' | 'closed'

export class Session implements CarrierHandler {
  readonly side: 'relay' | 'agent'
  readonly id: string
  readonly #carrier: Carrier
  readonly #options: SessionOptions
  readonly #budget: Budget
  readonly #frames: SessionFrames
  readonly #streams = new Map<number, Stream>()
  readonly #schedule = new Schedule()
  readonly #uncredited = new Set<Stream>()
  #creditTimer: Timer | undefined
  #state: SessionState = 'open'
  /** Relay: the next id to give. Agent: one above the highest seen in OPEN. */
  #nextStream = 1
  /** Why the other side said it leaves: what its closed connection then means. */
  #farewell: PortTunnelerError | undefined

  constructor(options: SessionOptions) {
    this.side = options.side
    this.id = options.id
    this.#options = options
    this.#carrier = options.carrier
    this.#budget = new Budget(limits.sessionBufferBytes, options.budget)
    this.#frames = new SessionFrames(options)
    this.#carrier.handler = this
    options.liveness.add(this.#carrier)
    this.#carrier.ping()
  }

  get state(): SessionState {
    return this.#state
  }

  /** Streams that carry a visitor now. */
  get activeStreams(): number {
    return this.#streams.size
  }

  /** Round trip to the other side in ms; undefined until the first PING was answered. */
  get rttMs(): number | undefined {
    return this.#carrier.rttMs
  }

  /** Monotonic ms, for streams. */
  get nowMs(): number {
    return this.#options.clock.monotonic()
  }

  // --- relay ---------------------------------------------------------------------------------------------------------

  /**
   * Opens a stream for a visitor. Bytes may be written at once.
   * @throws relay.draining, carrier.lost, session.limit (too many streams, or no memory for a window)
   */
  open(info: OpenInfo, sink: StreamSink): Stream {
    if (this.#state === 'draining') throw fail('relay.draining')
    if (this.#state === 'closed' || this.#carrier.isLost) throw fail('carrier.lost')
    if (this.#streams.size >= limits.streamsPerSession)
      throw fail('session.limit', 'The agent serves as many visitors as it may.')
    const window = takeWindow(this.#budget)
    const id = this.#nextStream++
    const stream = this.#addStream({
      id,
      info,
      sink,
      state: 'opening',
      window,
      edge: this.#options.agentWindow,
    })
    this.#carrier.send(encodeOpen(id, { ...info, window }))
    return stream
  }

  bound(bind: number, endpoint: string): void {
    this.#carrier.send(encodeJson(FrameType.bound, { bind, endpoint }))
  }

  refuseBind(bind: number, key: ErrorKey, detail?: string): void {
    this.unbound(bind, key, detail)
  }

  /** The binding has ended; its streams are the caller's to reset. */
  unbound(bind: number, key: ErrorKey, detail: string = codes[key].cause): void {
    this.#carrier.send(encodeJson(FrameType.unbound, { bind, code: codes[key].code, message: detail }))
  }

  notice(key: ErrorKey, text: string): void {
    this.#carrier.send(encodeJson(FrameType.notice, { code: codes[key].code, text }))
  }

  // --- agent ---------------------------------------------------------------------------------------------------------

  bind(bind: number, ticket: string): void {
    this.#carrier.send(encodeJson(FrameType.bind, { bind, ticket }))
  }

  unbind(bind: number): void {
    this.#carrier.send(encodeJson(FrameType.unbind, { bind }))
  }

  // --- both ----------------------------------------------------------------------------------------------------------

  /**
   * No new streams from now on; those that live may finish within `graceMs`. The agent dials again after
   * `redialMs`.
   */
  goAway({ key, graceMs, redialMs }: { key: ErrorKey; graceMs: number; redialMs: number }): void {
    if (this.#state !== 'open') return
    this.#state = 'draining'
    const { code, cause } = codes[key]
    this.#carrier.send(encodeJson(FrameType.goAway, { code, message: cause, graceMs, redialMs }))
  }

  /** Ends everything: streams are reset, the carrier is closed behind a GOAWAY with the code. Idempotent. */
  close(key: ErrorKey, detail?: string): void {
    this.#end(fail(key, detail), true)
  }

  // --- for streams
  // -----------------------------------------------------------------------------------------------------

  /** The stream may have something to send: at once if nobody waits, else in its turn. */
  offer(stream: Stream): void {
    if (stream.isQueued || !stream.canPump) return
    if (this.#schedule.isEmpty && this.#carrier.canSend) {
      stream.pump(this.#carrier, Number.POSITIVE_INFINITY)
      if (!stream.canPump) return
    }
    this.#schedule.add(stream)
  }

  sendCredit(stream: Stream, consumed: number, window: number): void {
    this.#carrier.sendCredit(stream.id, consumed, window)
  }

  /** Credit that is not worth a frame yet goes out with the others within 200 ms. */
  creditSoon(stream: Stream): void {
    this.#uncredited.add(stream)
    this.#creditTimer ??= this.#options.clock.after(limits.creditDelayMs, this.#creditAll, {
      background: true,
    })
  }

  sendReset(stream: Stream, code: number): void {
    this.#carrier.sendReset(stream.id, code)
  }

  sendOpened(stream: Stream, connectMs: number): void {
    this.#carrier.sendOpened(stream.id, connectMs)
  }

  sendUpgradeAnswer(stream: Stream, isUpgraded: boolean): void {
    this.#carrier.sendEmpty(isUpgraded ? FrameType.upgraded : FrameType.plain, stream.id)
  }

  forget(stream: Stream): void {
    this.#streams.delete(stream.id)
    this.#uncredited.delete(stream)
  }

  // --- carrier's events
  // ------------------------------------------------------------------------------------------------

  onWritable(): void {
    if (!this.#schedule.isEmpty) this.#schedule.serve(this.#carrier)
  }

  onViolation(reason: PortTunnelerError): void {
    this.#end(reason, true)
  }

  onLost(reason: PortTunnelerError): void {
    this.#end(this.#farewell ?? reason, false)
  }

  onData(id: number, offset: number, bytes: Buffer): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    else if (stream.state !== 'resetting') {
      if (stream.state === 'opening') stream.state = 'open'
      stream.receiveData(offset, bytes)
    }
  }

  onFrame(type: FrameType, id: number, payload: Payload): void {
    if (type < FrameType.open || type >= FrameType.lost) this.#onSessionFrame(type, payload)
    else if (type === FrameType.open) this.#onOpen(id, payload)
    else if (type === FrameType.reset) this.#onReset(id, payload.buffer.readUInt16BE(payload.start))
    else this.#onStreamFrame(type, id, payload)
  }

  // --- inside
  // ----------------------------------------------------------------------------------------------------------

  #onStreamFrame(type: FrameType, id: number, { buffer, start }: Payload): void {
    const stream = this.#streams.get(id)
    if (!stream) {
      this.#checkIssued(id)
      return
    }
    if (stream.state === 'resetting') return
    if (stream.state === 'opening') stream.state = 'open'
    if (type === FrameType.credit)
      stream.receiveCredit(readU48(buffer, start), buffer.readUInt32BE(start + 6))
    else if (type === FrameType.fin) stream.receiveFin(readU48(buffer, start))
    else if (this.side === 'agent') throw fail('frame.unexpected')
    else if (type === FrameType.opened) stream.sink.onOpened?.(buffer.readUInt32BE(start))
    else if (type === FrameType.upgraded) stream.sink.onUpgraded?.()
    else if (type === FrameType.plain) stream.sink.onPlain?.()
    else throw fail('frame.unexpected')
  }

  #onOpen(id: number, payload: Payload): void {
    if (this.side === 'relay' || id < 1) throw fail('frame.unexpected')
    if (id < this.#nextStream) {
      this.#carrier.sendReset(id, resetGone)
      return
    }
    this.#nextStream = id + 1
    const { window, ...info } = decodeOpen(payload)
    const isFull = this.#streams.size >= limits.streamsPerSession
    if (isFull || !this.#options.events.onOpen || !this.#budget.take(this.#options.agentWindow)) {
      this.#carrier.sendReset(id, fail('session.limit').wire)
      return
    }
    const placeholder: StreamSink = { onData() {}, onFin() {}, onWritable() {}, onReset() {} }
    const edge = window
    const stream = this.#addStream({
      id,
      info,
      sink: placeholder,
      state: 'open',
      window: this.#options.agentWindow,
      edge,
    })
    const sink = this.#options.events.onOpen(stream, info)
    if (stream.sink === placeholder) stream.sink = sink
  }

  #onReset(id: number, code: number): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    if (code === resetAck) {
      if (stream?.state === 'resetting') this.#drop(stream)
      return
    }
    if (code !== resetGone) this.#carrier.sendReset(id, resetAck)
    if (!stream) return
    this.forget(stream)
    stream.receiveReset(code === resetGone ? sessionLostCode : code)
  }

  #onSessionFrame(type: FrameType, payload: Payload): void {
    if (type === FrameType.goAway) {
      const { code, message, graceMs, redialMs } = decodeJson(goAwaySchema, payload)
      if (this.#state === 'open') this.#state = 'draining'
      this.#farewell = fail(keyOfCode(code) ?? 'session.closed', message)
      this.#options.events.onGoAway?.(code, graceMs, redialMs)
    } else this.#frames.take(type, payload)
  }

  /** Ids that were forgotten are ignored; one that was never issued breaks the protocol (rule 8). */
  #checkIssued(id: number): void {
    if (this.side === 'relay' && id >= this.#nextStream) throw fail('stream.unknown')
  }

  #addStream(options: {
    id: number
    info: OpenInfo
    sink: StreamSink
    state: 'opening' | 'open'
    window: number
    edge: number
  }): Stream {
    const stream = new Stream({ ...options, session: this, budget: this.#budget })
    this.#streams.set(options.id, stream)
    return stream
  }

  #drop(stream: Stream): void {
    this.forget(stream)
    stream.abandon(sessionLostCode)
  }

  readonly #creditAll = (): void => {
    this.#creditTimer = undefined
    for (const stream of this.#uncredited) if (stream.hasUncredited) stream.sendCredit()
    this.#uncredited.clear()
  }

  #end(reason: PortTunnelerError, isSaid: boolean): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#creditTimer?.clear()
    this.#options.liveness.remove(this.#carrier)
    if (isSaid && !this.#carrier.isLost) {
      const body = { code: reason.code, message: reason.detail.slice(0, 500), graceMs: 0, redialMs: 0 }
      this.#carrier.send(encodeJson(FrameType.goAway, body))
      this.#carrier.end()
    }
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    this.#uncredited.clear()
    for (const stream of streams) stream.abandon(isSaid ? reason.wire : sessionLostCode)
    this.#options.events.onClosed(reason)
  }
}

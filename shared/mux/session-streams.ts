/**
 * The streams of a session: which there are, where each sends, and what every stream frame means to them. Wire
 * protocol, rules 1 to 9, 12 to 14, 18 and 19.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { type ErrorKey, fail, wireCode } from '../base/errors.ts'
import { decodeOpen, FrameType, type Payload, readU48, resetAck, resetGone } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { Budget, firstWindow } from './budget.ts'
import type { Carrier } from './carrier.ts'
import type { CarrierSet } from './carrier-set.ts'
import { Lingering } from './lingering.ts'
import type { OpenInfo } from './open-info.ts'
import { resetWorst } from './relief.ts'
import { Report } from './report.ts'
import { Router } from './router.ts'
import { SeenIds } from './seen-ids.ts'
import type { SessionEvents } from './session-frames.ts'
import { Stream } from './stream.ts'
import type { StreamHost } from './stream-options.ts'
import {
  deafSink,
  type Heirs,
  type StreamSink,
  type StreamWatch,
  sessionLostCode,
  tellEnd,
} from './stream-sink.ts'
import type { Turn } from './turn.ts'

export type SessionStreamsOptions = {
  readonly side: 'relay' | 'agent'
  readonly clock: Clock
  readonly carriers: CarrierSet
  readonly turn: Turn
  readonly budget: Budget
  /** How much the relay may send at once on a new stream, bytes. */
  readonly agentWindow: number
  readonly onOpen: SessionEvents['onOpen']
  /** Relay: the id of the first stream. Default: 1; a test begins near the last one. */
  readonly firstId?: number | undefined
  /** This side wants another number of dedicated carriers. */
  onWant(count: number): void
}

export class SessionStreams implements StreamHost<Stream> {
  readonly router: Router
  readonly #options: SessionStreamsOptions
  readonly #carriers: CarrierSet
  readonly #budget: Budget
  readonly #sendBudget: Budget
  readonly #streams = new Map<number, Stream>()
  readonly #uncredited = new Set<Stream>()
  readonly #report: Report<Stream>
  readonly #seen = new SeenIds()
  readonly #lingering: Lingering<Stream>
  /** Streams that may not send because there is no memory to keep what they send. */
  readonly #starved = new Set<Stream>()
  #creditTimer: Timer | undefined
  #starvedTimer: Timer | undefined
  /** Relay: the next id. */
  #next: number

  constructor(options: SessionStreamsOptions) {
    this.#options = options
    this.#carriers = options.carriers
    const relieve = (bytes: number) => resetWorst(this.#streams.values(), bytes)
    this.#budget = new Budget(limits.sessionBufferBytes, options.budget, { relieve })
    this.#sendBudget = new Budget(limits.sessionBufferBytes, options.budget, { relieve })
    this.#next = options.firstId ?? 1
    this.#report = new Report({
      streams: this.#streams,
      tell: (stream, carrier) => {
        stream.report(carrier, this.#carriers.isLost)
        stream.route.offer()
      },
    })
    this.#lingering = new Lingering(options.clock, () => this.#carriers.pick() !== undefined)
    this.router = new Router(options)
  }

  get size(): number {
    return this.#streams.size
  }

  /** Relay: opens a stream for a visitor. @throws carrier.lost, session.limit */
  open(info: OpenInfo, sink: StreamSink, watch?: StreamWatch): Stream {
    const carrier = this.#carriers.pick()
    if (!carrier) throw fail('carrier.lost')
    if (this.#next > limits.streamIdMax) throw fail('relay.draining')
    if (this.#streams.size >= limits.streamsPerSession)
      throw fail('session.limit', 'The agent serves as many visitors as it may.')
    const window = firstWindow(this.#budget)
    const edge = this.#options.agentWindow
    const stream = this.#add({ id: this.#next++, info, sink, watch, state: 'opening', window, edge, carrier })
    stream.sendOpen(carrier)
    return stream
  }

  /** Resets the streams of one binding at both ends. */
  resetBind(bind: number, key: ErrorKey): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.info.bind === bind) this.#options.turn.endings.add(this, () => stream.cut(key))
    }
  }

  /** After a new loss: reports every stream, on `carrier` as long as that is there (rule 12). */
  report(carrier: Carrier): void {
    this.#report.begin(carrier)
  }

  /** The carrier has room: first for what was held back, then for the rest of the report, then for bytes. */
  onWritable(carrier: Carrier): void {
    this.router.sendCredits(carrier)
    if (this.#report.isUnderWay && !carrier.isRetiring) this.#report.goOn(carrier)
    this.router.serve(carrier)
  }

  /** The session is over. */
  abandon(code: number): void {
    this.#creditTimer?.clear()
    this.#starvedTimer?.clear()
    this.#starved.clear()
    this.#report.close()
    this.#lingering.close()
    this.router.close()
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    this.#uncredited.clear()
    const { endings } = this.#options.turn
    for (const stream of streams) endings.add(this, () => stream.abandon(code))
    // Behind the last of them: until then they hold memory.
    endings.add(this, () => {
      this.#budget.close()
      this.#sendBudget.close()
    })
  }

  // --- for streams
  /** Credit that is not worth a frame yet is sent with other credit within 200 ms. */
  creditSoon(stream: Stream): void {
    this.#uncredited.add(stream)
    this.#creditTimer ??= this.#options.clock.after(limits.creditDelayMs, this.#creditAll, {
      background: true,
    })
  }

  linger(stream: Stream): void {
    this.#lingering.add(stream)
  }

  /** Tries again soon: an acknowledgement of another session may free the memory. */
  starve(stream: Stream): void {
    this.#starved.add(stream)
    this.#feedLater()
  }

  forget(stream: Stream): void {
    this.#lingering.forget(stream)
    stream.route.leave()
    this.#starved.delete(stream)
    this.#report.forget(stream)
    this.#streams.delete(stream.id)
    this.#uncredited.delete(stream)
  }

  tellSoon({ route: { carrier } }: Stream, listeners: Heirs, code?: number): void {
    this.#options.turn.endings.add(this, () => tellEnd(listeners, code), carrier)
  }

  // --- frames
  onData(id: number, offset: number, bytes: Buffer): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    else if (stream.state !== 'resetting') {
      if (stream.state === 'opening') stream.answered()
      stream.receiveData(offset, bytes)
    }
  }

  /** @throws stream.unknown, frame.unexpected, frame.malformed */
  onFrame(carrier: Carrier, type: FrameType, id: number, payload: Payload): void {
    if (type === FrameType.open) this.#onOpen(carrier, id, payload)
    else if (type === FrameType.reset) this.#onReset(carrier, id, payload.buffer.readUInt16BE(payload.start))
    else this.#onStreamFrame(carrier, type, id, payload)
  }

  #onStreamFrame(carrier: Carrier, type: FrameType, id: number, { buffer, start }: Payload): void {
    const stream = this.#streams.get(id)
    if (!stream) {
      this.#checkIssued(id)
      if (type === FrameType.sync) carrier.frames.answerReset(id, resetGone)
      return
    }
    if (stream.state === 'resetting') return
    if (stream.state === 'opening') stream.answered()
    if (type === FrameType.credit)
      stream.receiveCredit(readU48(buffer, start), buffer.readUInt32BE(start + 6))
    else if (type === FrameType.fin) stream.receiveFin(readU48(buffer, start))
    else if (type === FrameType.sync) {
      const window = buffer.readUInt32BE(start + 12)
      const sync = { next: readU48(buffer, start), consumed: readU48(buffer, start + 6), window }
      stream.receiveSync(sync, this.#carriers.isLost)
    } else if (this.#options.side === 'agent') throw fail('frame.unexpected')
    else if (type === FrameType.opened) stream.receiveOpened(buffer.readUInt32BE(start))
    else if (type === FrameType.upgraded) stream.sink.onUpgraded?.()
    else if (type === FrameType.plain) stream.sink.onPlain?.()
    else throw fail('frame.unexpected')
  }

  #onOpen(carrier: Carrier, id: number, payload: Payload): void {
    if (this.#options.side === 'relay' || id < 1) throw fail('frame.unexpected')
    const known = this.#streams.get(id)
    if (known) {
      // The relay does not know whether its OPEN arrived: it did, and the report tells the stream's state.
      this.#report.ask(known, carrier)
      return
    }
    if (this.#seen.has(id)) {
      carrier.frames.answerReset(id, resetGone)
      return
    }
    this.#seen.add(id)
    const { window: edge, ...info } = decodeOpen(payload)
    const { agentWindow: window, onOpen } = this.#options
    if (this.#streams.size >= limits.streamsPerSession || !onOpen || this.#budget.fill >= 1) {
      carrier.frames.answerReset(id, wireCode('session.limit'))
      return
    }
    const stream = this.#add({ id, info, sink: deafSink, state: 'open', window, edge, carrier })
    stream.serve(onOpen(stream, info))
  }

  #onReset(carrier: Carrier, id: number, code: number): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    if (code === resetAck) {
      if (!stream?.isResetSaid) return
      this.forget(stream)
      stream.abandon(sessionLostCode)
      return
    }
    if (code !== resetGone) carrier.frames.answerReset(id, resetAck)
    if (!stream) {
      if (this.#options.side === 'agent') this.#seen.add(id)
      return
    }
    this.forget(stream)
    if (code === resetGone) stream.receiveGone()
    else stream.receiveReset(code)
  }

  /** Forgotten ids are ignored; an id that was never issued breaks the protocol (rule 8). */
  #checkIssued(id: number): void {
    if (this.#options.side === 'relay' && id >= this.#next) throw fail('stream.unknown')
  }

  // --- inside
  #add(options: {
    id: number
    info: OpenInfo
    sink: StreamSink
    watch?: StreamWatch | undefined
    state: 'opening' | 'open'
    window: number
    edge: number
    carrier: Carrier
  }): Stream {
    const stream = new Stream({
      ...options,
      host: this,
      router: this.router,
      slabs: this.#options.turn.deliverySlabs,
      budget: this.#budget,
      sendBudget: this.#sendBudget,
    })
    this.#report.began(stream)
    this.#streams.set(options.id, stream)
    return stream
  }

  #feedLater(): void {
    this.#starvedTimer ??= this.#options.clock.after(limits.starvedRetryMs, this.#feed, { background: true })
  }

  readonly #feed = (): void => {
    this.#starvedTimer = undefined
    for (const stream of this.#starved) {
      this.#starved.delete(stream)
      // Nothing is left for the others either; they come first the next time.
      if (!stream.feed()) break
    }
    if (this.#starved.size > 0) this.#feedLater()
  }

  readonly #creditAll = (): void => {
    this.#creditTimer = undefined
    for (const stream of this.#uncredited) if (stream.hasUncredited) stream.sendCredit()
    this.#uncredited.clear()
  }
}

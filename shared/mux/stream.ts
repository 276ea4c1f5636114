/**
 * One visitor connection inside a session, seen from one end. The session makes it; a splice (or the relay's HTTP
 * listener) drives it through `write`, `end`, `reset`, `consumed`, and it reports through its sink.
 */
import { type ErrorKey, fail, isFailure, wireCode } from '../base/errors.ts'
import type { Standing } from '../protocol/frame-writers.ts'
import { encodeOpen } from '../protocol/frames.ts'
import { AgentWords } from './agent-words.ts'
import type { Carrier } from './carrier.ts'
import { Inbound } from './inbound.ts'
import type { OpenInfo } from './open-info.ts'
import { Outbound } from './outbound.ts'
import { Told } from './report.ts'
import { Route, type Traveller } from './router.ts'
import type { StreamHost, StreamOptions, StreamState } from './stream-options.ts'
import { deafSink, type Heirs, type StreamSink, type StreamWatch, sessionLostCode } from './stream-sink.ts'

export class Stream implements Traveller {
  readonly id: number
  readonly info: OpenInfo
  readonly route: Route
  readonly told = new Told()
  #sink: StreamSink
  #watch: StreamWatch | undefined
  #state: StreamState
  /** Relay, while opening: a report was made meanwhile, so the agent's first frame is answered by SYNC (rule 13). */
  #owesSync = false
  readonly #host: StreamHost<Stream>
  readonly #outbound: Outbound
  readonly #inbound: Inbound
  #finDelivered = false
  /** A `write` returned false and `onWritable` has not been called yet. */
  #owesWritable = false
  /** Repeated in every report until the stream ends, because nothing else would repeat them. */
  #resetCode = 0
  /** RESET goes after what was written; until that is used it is kept, to be sent again if a carrier is lost. */
  #lastKey: ErrorKey | undefined
  #isLastSaid = false
  readonly #words = new AgentWords()

  constructor(options: StreamOptions<Stream>) {
    this.#host = options.host
    this.id = options.id
    this.info = options.info
    this.#sink = options.sink
    this.#watch = options.watch
    this.#state = options.state
    this.route = new Route(options.router, { traveller: this, carrier: options.carrier })
    this.#inbound = new Inbound(options.window, options.budget, options.router.nowMs)
    this.#outbound = new Outbound(options.edge, options.sendBudget, options.slabs)
  }

  get state(): StreamState {
    return this.#state
  }

  get sink(): StreamSink {
    return this.#sink
  }

  /** What the other side sends goes there from now on, unless the stream is over. */
  serve(sink: StreamSink): void {
    if (!this.isOver) this.#sink = sink
  }

  /** Bytes received in order. */
  get bytesIn(): number {
    return this.#inbound.next
  }

  /** Memory that this stream uses, in both directions. */
  get heldBytes(): number {
    return this.#inbound.heldBytes + this.#outbound.keptBytes
  }

  /** Bytes sent. */
  get bytesOut(): number {
    return this.#outbound.nxt
  }

  /** Sends or copies `chunk`. @returns false: stop reading until `sink.onWritable` (chunks already read may follow) */
  write(chunk: Buffer): boolean {
    if (this.isOver || this.#lastKey) return true
    this.#outbound.push(chunk)
    this.route.offer()
    this.#outbound.own()
    this.route.waits(this.#outbound.waitingBytes)
    this.#owesWritable = this.#outbound.waitingBytes > 0
    return !this.#owesWritable
  }

  /** Half-closes after what was written. */
  end(): void {
    if (this.isOver || this.#lastKey || this.#outbound.isEnding) return
    this.#outbound.finish()
    this.route.offer()
  }

  /** Ends both directions at once and tells the other side why. */
  reset(key: ErrorKey): void {
    if (this.isOver) return
    this.#release('resetting')
    this.#resetCode = wireCode(key)
    this.route.settle()?.frames.sendReset(this.id, this.#resetCode)
  }

  /** `reset`, and tells the sink as well. */
  cut(key: ErrorKey): void {
    const listeners = { sink: this.#sink, watch: this.#watch }
    this.reset(key)
    this.#host.tellSoon(this, listeners, wireCode(key))
  }

  /**
   * `reset` after what was written. If the other side has not used that yet, the sink is told by `onReset` when it has,
   * or when it has used nothing for `limits.lastWordsMs`; until then the local side drops what still comes.
   */
  resetBehind(key: ErrorKey): void {
    if (this.isOver || this.#lastKey) return
    if (this.#outbound.isUsed) this.reset(key)
    else {
      this.#lastKey = key
      this.#host.linger(this)
      this.#sayLast()
    }
  }

  /** The local side took `bytes`: the other side may send as many again. */
  consumed(bytes: number): void {
    if (this.isOver) return
    this.#inbound.use(bytes)
    this.#inbound.settle()
    if (this.#inbound.isComplete && this.#inbound.used === this.#inbound.finAt) this.#useFin()
    else if (this.#inbound.isCreditDue) this.sendCredit()
    else this.#host.creditSoon(this)
  }

  /** Agent: the upstream is connected. */
  opened(connectMs: number): void {
    if (this.#state === 'open') this.#words.opened(this.id, connectMs, this.route.settle())
  }

  /** Agent: whether the upstream switched protocols, so that the visitor's next bytes are no longer HTTP. */
  answeredUpgrade(answer: 'upgraded' | 'plain'): void {
    if (this.#state === 'open') this.#words.answered(this.id, answer, this.route.settle())
  }

  /** Nothing more is sent or received. */
  get isOver(): boolean {
    return this.#state === 'closed' || this.#state === 'resetting'
  }

  get canPump(): boolean {
    return !this.isOver && this.#outbound.canPump
  }

  get hasUncredited(): boolean {
    return !this.isOver && this.#inbound.used > this.#inbound.credited
  }

  get usedBytes(): number {
    return this.#outbound.una
  }

  giveUp(): void {
    if (this.#lastKey) this.cut(this.#lastKey)
  }

  /** Its RESET was sent, so that the other side's answer ends it. */
  get isResetSaid(): boolean {
    return this.#state === 'resetting' || this.#isLastSaid
  }

  get isOpening(): boolean {
    return this.#state === 'opening'
  }

  /** There may be memory again to keep what it sends. @returns false: there is none */
  feed(): boolean {
    this.#outbound.feed()
    this.route.offer()
    return !this.#outbound.isStarved
  }

  sendOpen(carrier: Carrier): void {
    carrier.frames.send(encodeOpen(this.id, { ...this.info, window: this.#inbound.window }))
  }

  /** Sends what window and `bytesMax` allow. @returns the bytes sent */
  pump(carrier: Carrier, bytesMax: number): number {
    const sent = this.#outbound.pump(carrier, this.id, bytesMax)
    this.route.sent(sent, this.#outbound.waitingBytes)
    if (this.#outbound.isStarved) this.#host.starve(this)
    if (this.#lastKey) this.#sayLast()
    if (this.#owesWritable && this.#outbound.waitingBytes === 0) {
      this.#owesWritable = false
      this.sink.onWritable()
    }
    return sent
  }

  /** `isLast`: the stream may be forgotten before a later one. */
  sendCredit(isLast = false): void {
    const carrier = this.route.settle()
    if (!carrier || (!isLast && this.route.holdsCredit(carrier))) return
    const { consumed, window } = this.#inbound.grant(this.route)
    carrier.frames.sendCredit(this.id, consumed, window)
  }

  /** The report after a loss, all of it on one carrier (rule 12). `isLost` knows the carriers that are gone. */
  report(carrier: Carrier, isLost: (carrier: number) => boolean): void {
    if (this.#state === 'resetting') carrier.frames.sendReset(this.id, this.#resetCode)
    else if (this.#state === 'opening') {
      this.#owesSync = true
      if (!isLost(this.route.carrier.number)) return
      this.route.moveTo(carrier)
      this.sendOpen(carrier)
      this.#outbound.repeatAll()
    } else {
      this.sendSync(carrier)
      this.#words.sayAgain(this.id, carrier)
    }
  }

  /** The agent's first frame came: the stream is open, and a report made meanwhile is caught up (rule 13). */
  answered(): void {
    this.#state = 'open'
    const carrier = this.#owesSync ? this.route.settle() : undefined
    this.#owesSync = false
    if (carrier) this.sendSync(carrier)
  }

  /** SYNC grants as CREDIT does: bytes used while there was no carrier must not be forgotten. */
  sendSync(carrier: Carrier): void {
    carrier.frames.sendSync(this.id, { next: this.#inbound.next, ...this.#inbound.grant(this.route) })
  }

  /** Takes SYNC: bytes that the other side lacks and no live carrier brings are sent again. */
  receiveSync(sync: Standing, isLost: (carrier: number) => boolean): void {
    this.#outbound.repeatLost(sync.next, isLost)
    this.receiveCredit(sync.consumed, sync.window)
  }

  liveCarriers(withCarrier: number, isLive: (carrier: number) => boolean): number {
    return this.#outbound.liveCarriers(withCarrier, isLive)
  }

  /** The other side forgot the stream: a normal end if both directions had ended, otherwise a reset (rule 8). */
  receiveGone(): void {
    const isEnd = this.#outbound.isFinSent && this.#inbound.isDone
    this.#host.tellSoon(this, this.#release('closed'), isEnd ? undefined : sessionLostCode)
  }

  receiveOpened(connectMs: number): void {
    this.#watch?.onOpened(connectMs)
    this.sink.onOpened?.(connectMs)
  }

  receiveData(offset: number, bytes: Buffer): void {
    try {
      this.#inbound.receive(offset, bytes, this.#sink)
      if (!this.isOver) this.#inbound.settle()
      this.#deliverFin()
    } catch (error) {
      this.#violate(error)
    }
  }

  receiveFin(offset: number): void {
    try {
      this.#inbound.receiveFin(offset)
      this.#deliverFin()
    } catch (error) {
      this.#violate(error)
    }
  }

  receiveCredit(consumed: number, window: number): void {
    if (!this.#outbound.acknowledge(consumed, window)) {
      this.#violate(fail('window.exceeded', 'CREDIT acknowledges bytes that were never sent.'))
      return
    }
    this.route.offer()
    this.#closeIfDone()
    if (this.#lastKey && this.#outbound.isUsed) this.giveUp()
  }

  /** Takes RESET (never ACK or GONE). */
  receiveReset(code: number): void {
    this.#host.tellSoon(this, this.#release('closed'), code)
  }

  /** The session ended under it; while resetting, nobody listens. */
  abandon(code: number): void {
    if (this.#state !== 'closed') this.receiveReset(code)
  }

  /**
   * Sends RESET as soon as it can overtake nothing, because credit comes up to 200 ms later; but not while the agent
   * dials, because it would end the dial.
   */
  #sayLast(): void {
    if (!this.#lastKey || this.#isLastSaid || this.#state !== 'open') return
    const carrier = this.route.settle()
    if (!carrier || this.#outbound.waitingBytes > 0 || this.canPump) return
    if (this.liveCarriers(carrier.number, () => true) > 1) return
    this.#isLastSaid = true
    carrier.frames.sendReset(this.id, wireCode(this.#lastKey))
  }

  /** A violation inside one stream resets only that stream (rule 9); a fault of our own is thrown. */
  #violate(error: unknown): void {
    if (!isFailure(error)) throw error
    this.cut(error.key)
  }

  #deliverFin(): void {
    if (this.#finDelivered || this.isOver || !this.#inbound.isComplete) return
    this.#finDelivered = true
    this.sink.onFin()
    if (this.#inbound.used === this.#inbound.finAt) this.#useFin()
  }

  /** All bytes are used and the local side was ended: FIN counts as used, and this is sent at once. */
  #useFin(): void {
    if (!this.#finDelivered || this.#inbound.isDone) return
    this.#inbound.use(1)
    this.sendCredit(true)
    this.#closeIfDone()
  }

  #closeIfDone(): void {
    if (this.isOver || !this.#outbound.isDone || !this.#inbound.isDone) return
    const listeners = this.#release('closed')
    this.#host.forget(this)
    this.#host.tellSoon(this, listeners)
  }

  #release(state: 'resetting' | 'closed'): Heirs {
    const listeners = { sink: this.#sink, watch: this.#watch }
    if (this.#state !== 'resetting') {
      this.#inbound.release()
      this.#outbound.clear()
    }
    this.#state = state
    this.#sink = deafSink
    this.#watch = undefined
    return listeners
  }
}

/**
 * The association of one agent and one relay: streams over carriers, bindings, an orderly end. The same class at both
 * ends; `side` decides who opens streams (relay) and who binds (agent). It outlives its carriers: streams continue on
 * another one, bytes once and in order. Wire protocol, rules 1 to 17.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { codes, type ErrorKey, fail, keyOfCode, type PortTunnelerError, wireCode } from '../base/errors.ts'
import { PerMinute } from '../base/per-minute.ts'
import {
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
import type { GoAway } from '../protocol/messages.ts'
import { Budget } from './budget.ts'
import type { Carrier, CarrierHandler } from './carrier.ts'
import { CarrierSet } from './carrier-set.ts'
import { Elephants } from './elephants.ts'
import type { Liveness } from './liveness.ts'
import { SeenIds } from './seen-ids.ts'
import { readSessionFrame, type SessionEvents } from './session-frames.ts'
import { type OpenInfo, Stream, type StreamSink, sessionLostCode } from './stream.ts'

export type { SessionEvents }

export type SessionOptions = {
  readonly side: 'relay' | 'agent'
  readonly id: string
  /** Known to these two alone: proves that a further carrier belongs to the session. */
  readonly secret: string
  readonly carrier: Carrier
  readonly clock: Clock
  readonly liveness: Liveness
  /** The process's budget; the session takes its own share of it. */
  readonly budget: Budget
  /** What the agent said in HELLO: how much the relay may send on a new stream at once, bytes. */
  readonly agentWindow: number
  readonly events: SessionEvents
}

/** open: all goes; detached: no carrier for now; draining: GOAWAY was said, no new streams; closed: over. */
export type SessionState = 'open' | 'detached' | 'draining' | 'closed'

const placeholder: StreamSink = { onData() {}, onFin() {}, onWritable() {}, onReset() {} }

export class Session implements CarrierHandler {
  readonly side: 'relay' | 'agent'
  readonly id: string
  /** Known to agent and relay alone. */
  readonly secret: string
  readonly carriers = new CarrierSet()
  readonly elephants: Elephants
  readonly #options: SessionOptions
  readonly #budget: Budget
  readonly #streams = new Map<number, Stream>()
  readonly #uncredited = new Set<Stream>()
  readonly #seen = new SeenIds()
  /** Agent: what it asked to bind, and what it gave back: said again after a loss, for nothing else repeats it. */
  readonly #binds = new Map<number, string>()
  readonly #unbinds = new Set<number>()
  readonly #bindsHeard = new PerMinute(limits.bindsPerSession)
  #goAwayBody: GoAway | undefined
  #creditTimer: Timer | undefined
  #graceTimer: Timer | undefined
  #retireTimer: Timer | undefined
  #isDraining = false
  #isClosed = false
  /** A report could not be made for want of a carrier. */
  #owesReport = false
  /** Dedicated carriers wanted by this side and, at the agent, by the relay. */
  #ownWant = 0
  #relayWant = 0
  /** Agent: the highest carrier number given. */
  #dialled: number
  /** Relay: the next id to give. */
  #nextStream = 1
  /** Why the other side said it leaves: what its closed connection then means. */
  #farewell: PortTunnelerError | undefined

  constructor(options: SessionOptions) {
    this.side = options.side
    this.id = options.id
    this.secret = options.secret
    this.#options = options
    this.#dialled = options.carrier.number
    this.#budget = new Budget(limits.sessionBufferBytes, options.budget)
    this.elephants = new Elephants({
      clock: options.clock,
      carriers: this.carriers,
      mayMove: (stream, to) => this.#mayMove(stream, to),
      shared: () => this.carriers.pick(),
      onWant: (count) => this.#want(count),
    })
    this.#take(options.carrier, [])
  }

  get state(): SessionState {
    if (this.#isClosed) return 'closed'
    if (this.carriers.size === 0) return 'detached'
    return this.#isDraining ? 'draining' : 'open'
  }

  /** Streams that carry a visitor now. */
  get activeStreams(): number {
    return this.#streams.size
  }

  /** Round trip to the other side in ms; undefined until the first PING was answered. */
  get rttMs(): number | undefined {
    return this.carriers.pick()?.rttMs
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
    const carrier = this.carriers.pick()
    if (this.#isClosed || !carrier) throw fail('carrier.lost')
    if (this.#isDraining) throw fail('relay.draining')
    if (this.#streams.size >= limits.streamsPerSession)
      throw fail('session.limit', 'The agent serves as many visitors as it may.')
    const window = this.#takeWindow()
    const edge = this.#options.agentWindow
    const stream = this.#addStream({
      id: this.#nextStream++,
      info,
      sink,
      state: 'opening',
      window,
      edge,
      carrier,
    })
    this.sendOpen(stream, carrier, window)
    return stream
  }

  bound(bind: number, endpoint: string): void {
    this.#say(FrameType.bound, { bind, endpoint })
  }

  refuseBind(bind: number, key: ErrorKey, detail?: string): void {
    this.unbound(bind, key, detail)
  }

  /** The binding has ended; its streams are the caller's to reset. */
  unbound(bind: number, key: ErrorKey, detail: string = codes[key].cause): void {
    this.#say(FrameType.unbound, { bind, code: codes[key].code, message: detail })
  }

  /** Resets the streams of one binding: another agent process serves it now, and this one is not there to say so. */
  resetBind(bind: number, key: ErrorKey): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.info.bind !== bind) continue
      const { sink } = stream
      stream.reset(key)
      sink.onReset(wireCode(key))
    }
  }

  notice(key: ErrorKey, text: string): void {
    this.#say(FrameType.notice, { code: codes[key].code, text })
  }

  // --- agent ---------------------------------------------------------------------------------------------------------

  /** Asks to serve what `ticket` leases; with a fresher ticket, to go on serving it. */
  bind(bind: number, ticket: string): void {
    this.#binds.set(bind, ticket)
    this.#unbinds.delete(bind)
    this.#say(FrameType.bind, { bind, ticket })
  }

  unbind(bind: number): void {
    this.#binds.delete(bind)
    this.#unbinds.add(bind)
    this.#say(FrameType.unbind, { bind })
  }

  /** How many dedicated carriers there should be now (rule 20). */
  get wantedDedicated(): number {
    return Math.min(Math.max(this.#ownWant, this.#relayWant), limits.carriersPerSession - 2)
  }

  /** The number for the next carrier to dial: rising, never used twice (rule 16). */
  nextCarrierNumber(): number {
    this.#dialled += 1
    return this.#dialled
  }

  // --- both ----------------------------------------------------------------------------------------------------------

  /** No new streams from now on; those that live may finish within `graceMs`. The agent dials again after `redialMs`. */
  goAway({ key, graceMs, redialMs }: { key: ErrorKey; graceMs: number; redialMs: number }): void {
    if (this.#isDraining || this.#isClosed) return
    this.#isDraining = true
    this.#goAwayBody = { code: codes[key].code, message: codes[key].cause, graceMs, redialMs }
    this.#say(FrameType.goAway, this.#goAwayBody)
  }

  /** Ends everything: streams are reset, carriers are closed behind a GOAWAY with the code. Idempotent. */
  close(key: ErrorKey, detail?: string): void {
    this.#end(fail(key, detail), true)
  }

  /** The other side no longer knows the session: nothing is said to it. */
  abandon(reason: PortTunnelerError): void {
    this.#end(reason, false)
  }

  /** A carrier may join under this number: it was never used before and is not below what is forgotten (rule 16). */
  accepts(carrierNumber: number): boolean {
    return !this.#isClosed && this.carriers.isFresh(carrierNumber)
  }

  /**
   * A further carrier is ready. `lost` is the other side's list of losses, `told` the one this side sent on it.
   * A report is made on it if any is owed.
   */
  attach(carrier: Carrier, { lost, told }: { lost: readonly number[]; told: readonly number[] }): void {
    let isFresh = this.#owesReport
    for (const number of lost) {
      isFresh = this.#giveUp(number, false) || isFresh
      this.carriers.confirm(number)
    }
    this.#graceTimer?.clear()
    this.#graceTimer = undefined
    this.#take(carrier, told)
    this.elephants.assign()
    if (this.side === 'agent') for (const number of lost) carrier.sendLost(number, true)
    if (isFresh) this.#report()
    this.#options.events.onAttached?.()
  }

  /** Agent: takes a carrier out of use in an orderly way: nothing new on it, and its end when nothing hangs on it. */
  retire(carrier: Carrier): void {
    if (carrier.isRetiring) return
    carrier.sendEmpty(FrameType.retire, 0)
    this.#startRetiring(carrier)
  }

  /** The path may have changed under us: every carrier must answer within 1.5 s or is lost (rule 25). */
  probe(): void {
    this.#options.events.onProbe?.()
    for (const carrier of this.carriers) {
      carrier.ping()
      const askedAtMs = carrier.pingedAtMs
      this.#options.clock.after(
        limits.probeMs,
        () => {
          if (carrier.isPingOutstanding && carrier.heardAtMs <= askedAtMs)
            carrier.lose(fail('carrier.lost', 'The path did not answer after the network changed.'))
        },
        { background: true },
      )
    }
  }

  // --- for streams -----------------------------------------------------------------------------------------------------

  /** The stream may have something to send: at once if nobody waits, else in its turn. */
  offer(stream: Stream): void {
    if (stream.isQueued || !stream.canPump) return
    const carrier = this.#carrierOf(stream)
    if (!carrier) return
    if (carrier.schedule.isEmpty && carrier.canSend) {
      stream.pump(carrier, Number.POSITIVE_INFINITY)
      if (!stream.canPump) return
    }
    carrier.schedule.add(stream)
  }

  /** Where the stream's own control frames go now; undefined while detached (a report repeats what matters). */
  controlCarrier(stream: Stream): Carrier | undefined {
    return this.#carrierOf(stream)
  }

  sendOpen(stream: Stream, carrier: Carrier, window: number): void {
    carrier.send(encodeOpen(stream.id, { ...stream.info, window }))
  }

  /** Credit that is not worth a frame yet goes out with the others within 200 ms. */
  creditSoon(stream: Stream): void {
    this.#uncredited.add(stream)
    this.#creditTimer ??= this.#options.clock.after(limits.creditDelayMs, this.#creditAll, {
      background: true,
    })
  }

  forget(stream: Stream): void {
    this.elephants.forget(stream)
    this.#streams.delete(stream.id)
    this.#uncredited.delete(stream)
  }

  // --- carriers' events ------------------------------------------------------------------------------------------------

  onWritable(carrier: Carrier): void {
    if (!carrier.schedule.isEmpty) carrier.schedule.serve(carrier)
  }

  onViolation(_carrier: Carrier, reason: PortTunnelerError): void {
    this.#end(reason, true)
  }

  onLost(carrier: Carrier, reason: PortTunnelerError): void {
    if (this.#farewell) this.#end(this.#farewell, false)
    else if (this.#giveUp(carrier.number, true)) {
      this.#options.events.onCarrierLost?.(carrier.number, reason)
      this.#report()
    }
  }

  onData(id: number, offset: number, bytes: Buffer): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    else if (stream.state !== 'resetting') {
      if (stream.state === 'opening') this.#answered(stream)
      stream.receiveData(offset, bytes)
    }
  }

  onFrame(carrier: Carrier, type: FrameType, id: number, payload: Payload): void {
    if (type === FrameType.lost) this.#onLostFrame(carrier, payload)
    else if (type === FrameType.want) this.#onWant(payload)
    else if (type === FrameType.retire) this.#onRetire(carrier)
    else if (type < FrameType.open || type > FrameType.lost) this.#onSessionFrame(type, payload)
    else if (type === FrameType.open) this.#onOpen(carrier, id, payload)
    else if (type === FrameType.reset) this.#onReset(carrier, id, payload.buffer.readUInt16BE(payload.start))
    else this.#onStreamFrame(carrier, type, id, payload)
  }

  // --- inside: frames --------------------------------------------------------------------------------------------------

  #onStreamFrame(carrier: Carrier, type: FrameType, id: number, { buffer, start }: Payload): void {
    const stream = this.#streams.get(id)
    if (!stream) {
      this.#checkIssued(id)
      if (type === FrameType.sync) carrier.sendReset(id, resetGone)
      return
    }
    if (stream.state === 'resetting') return
    if (stream.state === 'opening') this.#answered(stream)
    if (type === FrameType.credit)
      stream.receiveCredit(readU48(buffer, start), buffer.readUInt32BE(start + 6))
    else if (type === FrameType.fin) stream.receiveFin(readU48(buffer, start))
    else if (type === FrameType.sync) {
      const window = buffer.readUInt32BE(start + 12)
      const sync = { next: readU48(buffer, start), consumed: readU48(buffer, start + 6), window }
      stream.receiveSync(sync, this.carriers.isLost)
    } else if (this.side === 'agent') throw fail('frame.unexpected')
    else if (type === FrameType.opened) stream.sink.onOpened?.(buffer.readUInt32BE(start))
    else if (type === FrameType.upgraded) stream.sink.onUpgraded?.()
    else if (type === FrameType.plain) stream.sink.onPlain?.()
    else throw fail('frame.unexpected')
  }

  /** The agent's first frame of a stream: it is open, and a report that was made meanwhile is caught up (rule 13). */
  #answered(stream: Stream): void {
    stream.state = 'open'
    if (!stream.owesSync) return
    stream.owesSync = false
    const carrier = this.#carrierOf(stream)
    if (carrier) stream.sendSync(carrier)
  }

  #onOpen(carrier: Carrier, id: number, payload: Payload): void {
    if (this.side === 'relay' || id < 1) throw fail('frame.unexpected')
    const known = this.#streams.get(id)
    if (known) {
      // The relay does not know whether its OPEN arrived: it did, and the report says how the stream stands.
      known.report(carrier, this.carriers.isLost)
      return
    }
    if (this.#seen.has(id)) {
      carrier.sendReset(id, resetGone)
      return
    }
    this.#seen.add(id)
    const { window: edge, ...info } = decodeOpen(payload)
    const window = this.#options.agentWindow
    const isFull = this.#streams.size >= limits.streamsPerSession
    if (isFull || !this.#options.events.onOpen || !this.#budget.take(window)) {
      carrier.sendReset(id, fail('session.limit').wire)
      return
    }
    const stream = this.#addStream({ id, info, sink: placeholder, state: 'open', window, edge, carrier })
    const sink = this.#options.events.onOpen(stream, info)
    if (stream.sink === placeholder) stream.sink = sink
  }

  #onReset(carrier: Carrier, id: number, code: number): void {
    const stream = this.#streams.get(id)
    if (!stream) this.#checkIssued(id)
    if (code === resetAck) {
      if (stream?.state === 'resetting') this.#drop(stream)
      return
    }
    if (code !== resetGone) carrier.sendReset(id, resetAck)
    if (!stream) {
      if (this.side === 'agent') this.#seen.add(id)
      return
    }
    this.forget(stream)
    if (code === resetGone) stream.receiveGone()
    else stream.receiveReset(code)
  }

  #onLostFrame(carrier: Carrier, { buffer, start }: Payload): void {
    const number = buffer.readUInt32BE(start)
    if (buffer.readUInt8(start + 4) === 1) {
      this.carriers.confirm(number)
      return
    }
    if (number === carrier.number) throw fail('frame.unexpected', 'A carrier cannot tell of its own loss.')
    const isFresh = this.#giveUp(number, false)
    this.carriers.confirm(number)
    carrier.sendLost(number, true)
    if (isFresh) this.#report()
  }

  #onWant({ buffer, start }: Payload): void {
    if (this.side === 'relay') throw fail('frame.unexpected')
    this.#relayWant = buffer.readUInt8(start)
    this.#options.events.onWant?.()
  }

  #onSessionFrame(type: FrameType, payload: Payload): void {
    if (type === FrameType.bind && !this.#bindsHeard.allows(this.nowMs)) throw fail('control.flood')
    const farewell = readSessionFrame(type, payload, this.side, this.#options.events)
    if (!farewell) return
    this.#isDraining = true
    if (farewell.isFinal)
      this.#farewell = fail(keyOfCode(farewell.code) ?? 'session.closed', farewell.message)
  }

  /** Ids that were forgotten are ignored; one that was never issued breaks the protocol (rule 8). */
  #checkIssued(id: number): void {
    if (this.side === 'relay' && id >= this.#nextStream) throw fail('stream.unknown')
  }

  // --- inside: carriers ------------------------------------------------------------------------------------------------

  #take(carrier: Carrier, told: readonly number[]): void {
    carrier.handler = this
    this.carriers.add(carrier, told)
    this.#options.liveness.add(carrier)
    carrier.ping()
  }

  /** Stops using a carrier. True when its loss is news here: then a report is owed. */
  #giveUp(number: number, isOurs: boolean): boolean {
    const carrier = this.carriers.get(number)
    if (!this.carriers.remove(number, isOurs)) return false
    if (!carrier) return true
    this.#options.liveness.remove(carrier)
    const waiting = carrier.schedule.drain()
    carrier.handler = quietHandler
    carrier.lose(fail('carrier.lost'))
    for (const stream of waiting) this.offer(stream)
    if (this.carriers.size === 0 && !this.#isClosed) this.#detach()
    return true
  }

  #onRetire(carrier: Carrier): void {
    if (this.side === 'agent') carrier.isReleased = true
    else this.#startRetiring(carrier)
  }

  #startRetiring(carrier: Carrier): void {
    carrier.isRetiring = true
    this.elephants.assign()
    this.#retireTimer ??= this.#options.clock.every(limits.retireTickMs, this.#tickRetiring, {
      background: true,
    })
  }

  /** Relay: says when nothing hangs on a retiring carrier. Agent: ends it when neither side's does. */
  readonly #tickRetiring = (): void => {
    let retiring = 0
    for (const carrier of [...this.carriers]) {
      if (!carrier.isRetiring) continue
      retiring += 1
      if (this.#dependsOn(carrier)) continue
      if (this.side === 'agent') {
        if (carrier.isReleased) carrier.lose(fail('carrier.lost', 'The carrier is no longer needed.'))
      } else if (!carrier.isReleased) {
        carrier.isReleased = true
        carrier.sendEmpty(FrameType.retire, 0)
      }
    }
    if (retiring > 0) return
    this.#retireTimer?.clear()
    this.#retireTimer = undefined
  }

  #dependsOn(carrier: Carrier): boolean {
    for (const stream of this.#streams.values()) if (stream.dependsOn(carrier.number)) return true
    return false
  }

  #want(count: number): void {
    if (count === this.#ownWant) return
    this.#ownWant = count
    if (this.side === 'relay') this.carriers.pick()?.sendWant(count)
    else this.#options.events.onWant?.()
  }

  #detach(): void {
    const graceMs = this.side === 'relay' ? limits.resumeGraceMs : limits.resumeTryMs
    this.#graceTimer ??= this.#options.clock.after(graceMs, () => this.#end(fail('carrier.lost'), false))
    this.#options.events.onDetached?.()
  }

  /** After a new loss: everything about every stream, on one carrier (rule 12). */
  #report(): void {
    const carrier = this.carriers.pick()
    this.#owesReport = !carrier
    if (!carrier) return
    if (this.side === 'relay' && this.#ownWant > 0) carrier.sendWant(this.#ownWant)
    if (this.#goAwayBody) this.#say(FrameType.goAway, this.#goAwayBody)
    for (const [bind, ticket] of this.#binds) this.#say(FrameType.bind, { bind, ticket })
    for (const bind of this.#unbinds) this.#say(FrameType.unbind, { bind })
    for (const stream of this.#streams.values()) {
      stream.report(carrier, this.carriers.isLost)
      this.offer(stream)
    }
  }

  /** Where the stream sends: its own choice while that lives; while opening, the carrier of its OPEN (rule 3). */
  #carrierOf(stream: Stream): Carrier | undefined {
    const own = stream.carrier
    if (own && !own.isLost) {
      if ((!own.isSuspect && !own.isRetiring) || stream.state === 'opening') return own
    } else if (stream.state === 'opening') return undefined
    const other = this.carriers.pick()
    if (other && other !== own && this.#mayMove(stream, other)) stream.carrier = other
    return stream.carrier?.isLost ? undefined : stream.carrier
  }

  /** Unacknowledged pieces lie on at most two live carriers (rule 19). */
  #mayMove(stream: Stream, to: Carrier): boolean {
    return stream.liveCarriers(to.number, (number) => !this.carriers.isLost(number)) <= 2
  }

  // --- inside: streams -------------------------------------------------------------------------------------------------

  #takeWindow(): number {
    const { windowBytesInitial, windowBytesTight, comfortShare } = limits
    if (this.#budget.take(windowBytesInitial, comfortShare)) return windowBytesInitial
    if (this.#budget.take(windowBytesTight)) return windowBytesTight
    throw fail('session.limit', 'The relay has no memory left for another visitor.')
  }

  #addStream(options: {
    id: number
    info: OpenInfo
    sink: StreamSink
    state: 'opening' | 'open'
    window: number
    edge: number
    carrier: Carrier
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

  #say(type: FrameType, body: unknown): void {
    this.carriers.pick()?.send(encodeJson(type, body))
  }

  #end(reason: PortTunnelerError, isSaid: boolean): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#creditTimer?.clear()
    this.#graceTimer?.clear()
    this.#retireTimer?.clear()
    this.elephants.close()
    const body = { code: reason.code, message: reason.detail.slice(0, 500), graceMs: 0, redialMs: 0 }
    for (const carrier of [...this.carriers]) {
      this.#options.liveness.remove(carrier)
      carrier.handler = quietHandler
      if (isSaid) carrier.send(encodeJson(FrameType.goAway, body))
      carrier.end()
    }
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    this.#uncredited.clear()
    for (const stream of streams) stream.abandon(isSaid ? reason.wire : sessionLostCode)
    this.#options.events.onClosed(reason)
  }
}

const quietHandler: CarrierHandler = {
  onData() {},
  onFrame() {},
  onWritable() {},
  onViolation() {},
  onLost() {},
}

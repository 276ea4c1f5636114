/**
 * The association of one agent and one relay: streams over carriers, bindings, an orderly end. Both ends use the same
 * class; `side` decides who opens streams (relay) and who binds (agent). It outlives its carriers: streams continue on
 * another one, bytes once and in order. Wire protocol, rules 9 to 12, 15, 20, 21 and 25.
 */
import type { Timer } from '../base/clock.ts'
import { codes, type ErrorKey, fail, keyOfCode, type PortTunnelerError } from '../base/errors.ts'
import { encodeJson, FrameType, type Payload } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import type { GoAway } from '../protocol/messages.ts'
import { BindingTalk } from './binding-talk.ts'
import { BindsHeard } from './binds-heard.ts'
import type { Carrier, CarrierHandler } from './carrier.ts'
import { deafHandler } from './carrier-handler.ts'
import { CarrierSet } from './carrier-set.ts'
import { LastIds } from './last-ids.ts'
import type { OpenInfo } from './open-info.ts'
import { Retirement } from './retirement.ts'
import type { Sender } from './schedule.ts'
import { readSessionFrame, type SessionEvents } from './session-frames.ts'
import type { SessionOptions } from './session-options.ts'
import { SessionStreams } from './session-streams.ts'
import type { Stream } from './stream.ts'
import { type StreamSink, type StreamWatch, sessionLostCode } from './stream-sink.ts'

export class Session implements CarrierHandler {
  readonly side: 'relay' | 'agent'
  readonly id: string
  readonly secret: string
  readonly carriers = new CarrierSet()
  readonly #options: SessionOptions
  readonly #streams: SessionStreams
  readonly #retirement: Retirement
  readonly #talk: BindingTalk
  readonly #events: SessionEvents
  readonly #bindsHeard = new BindsHeard()
  #goAwayBody: GoAway | undefined
  #graceTimer: Timer | undefined
  readonly #lastIds = new LastIds()
  #isDraining = false
  #isClosed = false
  /** A report waits for a carrier. */
  #owesReport = false
  /** How many dedicated carriers are wanted. */
  #ownWant = 0
  #relayWant = 0
  /** Agent: the highest carrier number used. */
  #dialled: number
  #farewell: PortTunnelerError | undefined

  constructor(options: SessionOptions) {
    this.side = options.side
    this.id = options.id
    this.secret = options.secret
    this.#options = options
    this.#talk = new BindingTalk(options, (type, body) => this.#say(type, body))
    this.#events = this.#talk.hear(options.events)
    this.#dialled = options.carrier.number
    this.#streams = new SessionStreams({
      ...options,
      carriers: this.carriers,
      onOpen: options.events.onOpen,
      onWant: (count) => this.#want(count),
    })
    this.#retirement = new Retirement({ ...options, carriers: this.carriers })
    this.carriers.add(options.carrier, [])
    this.#start(options.carrier)
  }

  /** draining: GOAWAY was sent, no new streams; detached: no carrier for now. */
  get state(): 'open' | 'draining' | 'detached' | 'closed' {
    if (this.#isClosed) return 'closed'
    if (this.carriers.size === 0) return 'detached'
    return this.#isDraining ? 'draining' : 'open'
  }

  get activeStreams(): number {
    return this.#streams.size
  }

  /** Round trip in ms; undefined until the first PING was answered. */
  get rttMs(): number | undefined {
    return this.carriers.pick()?.pulse.rttMs
  }

  // --- relay
  /**
   * Opens a stream for a visitor. Bytes may be written at once.
   * @throws relay.draining, carrier.lost, session.limit (too many streams, or no memory for a window)
   */
  open(info: OpenInfo, sink: StreamSink, watch?: StreamWatch): Stream {
    if (this.#isClosed) throw fail('carrier.lost')
    if (this.#isDraining) throw fail('relay.draining')
    const stream = this.#streams.open(info, sink, watch)
    this.#lastIds.gave(stream.id, this, this.#options.clock)
    return stream
  }

  /** Relay: its stream ids are nearly used up, and the agent was asked to begin its next session (rule 1). */
  get isSpent(): boolean {
    return this.#lastIds.isSpent
  }

  bound(bind: number, endpoint: string): void {
    this.#say(FrameType.bound, { bind, endpoint })
  }

  /** Refuses the BIND, or ends the binding; the caller resets its streams. */
  unbound(bind: number, key: ErrorKey, detail: string = codes[key].cause): void {
    this.#talk.say(bind, FrameType.unbound, { bind, code: codes[key].code, message: detail })
  }

  /** Resets the streams of one binding: another agent process serves it now, and this one is not there to do it. */
  resetBind(bind: number, key: ErrorKey): void {
    this.#streams.resetBind(bind, key)
  }

  notice(key: ErrorKey, text: string): void {
    this.#say(FrameType.notice, { code: codes[key].code, text })
  }

  // --- agent
  /** Asks to serve what `ticket` leases, or, with a fresher ticket, to go on serving it. */
  bind(bind: number, ticket: string): void {
    this.#talk.say(bind, FrameType.bind, { bind, ticket })
  }

  unbind(bind: number): void {
    this.#talk.say(bind, FrameType.unbind, { bind })
  }

  get wantedDedicated(): number {
    return Math.min(Math.max(this.#ownWant, this.#relayWant), limits.dedicatedPerSession)
  }

  /** The number for the next carrier to dial: it rises, and is never used twice (rule 16). */
  nextCarrierNumber(): number {
    this.#dialled += 1
    return this.#dialled
  }

  /** Takes a carrier out of use in an orderly way: nothing new goes on it, and it ends when nothing depends on it. */
  retire(carrier: Carrier): void {
    if (carrier.isRetiring) return
    carrier.frames.sendEmpty(FrameType.retire, 0)
    this.#startRetiring(carrier)
  }

  /** The path may have changed: carriers from addresses in `gone` are lost, others unless they answer (rule 25). */
  probe(gone?: ReadonlySet<string>): void {
    this.#options.events.onProbe?.()
    for (const carrier of this.carriers) this.#options.liveness.probe(carrier, gone)
  }

  // --- both
  /**
   * No new streams from now on; live ones may finish within `graceMs`. The agent dials again after `redialMs`. With
   * `relay.replaced` it should begin its next session, and until the second GOAWAY this session takes visitors as
   * before: the first of two GOAWAYs, as in RFC 9113, section 6.8.
   */
  goAway({ key, graceMs, redialMs }: { key: ErrorKey; graceMs: number; redialMs: number }): void {
    if (this.#isDraining || this.#isClosed) return
    this.#isDraining = key !== 'relay.replaced'
    this.#goAwayBody = { code: codes[key].code, message: codes[key].cause, graceMs, redialMs }
    this.#say(FrameType.goAway, this.#goAwayBody)
  }

  /** Ends everything: streams are reset, carriers are closed after a GOAWAY with the code. Idempotent. */
  close(key: ErrorKey, detail?: string): void {
    this.#end(fail(key, detail), true)
  }

  /** Ends it without telling the other side, which no longer knows the session. */
  abandon(reason: PortTunnelerError): void {
    this.#end(reason, false)
  }

  /** Whether a carrier may join under this number, while those of `lost` go. */
  accepts(carrierNumber: number, lost: readonly number[] = []): boolean {
    return !this.#isClosed && this.carriers.hasRoomFor(carrierNumber, lost)
  }

  /**
   * A further carrier is ready. `lost` is the other side's list of losses, `told` the list that this side sent on it.
   * If a report is owed it is made here. The carrier is added before those that it replaces are given up: otherwise the
   * session would be detached for a moment, and visitors that wait for their agent would be turned away.
   */
  attach(carrier: Carrier, { lost, told }: { lost: readonly number[]; told: readonly number[] }): void {
    this.carriers.add(carrier, told)
    let isFresh = this.#owesReport
    const waiting: Sender[] = []
    for (const number of lost) {
      isFresh = this.#giveUp(number, false, waiting) || isFresh
      this.carriers.confirm(number)
    }
    this.#graceTimer?.clear()
    this.#graceTimer = undefined
    this.#start(carrier)
    this.#streams.router.elephants.assign()
    if (this.side === 'agent') for (const number of lost) carrier.frames.sendLost(number, true)
    if (isFresh) this.#report()
    for (const sender of waiting) sender.offer()
    this.#options.events.onAttached?.()
  }

  readonly isAwaited = (carrier: Carrier): boolean => this.#streams.router.isAwaited(carrier)
  onWritable(carrier: Carrier): void {
    this.#streams.onWritable(carrier)
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
    this.#streams.onData(id, offset, bytes)
  }

  onFrame(carrier: Carrier, type: FrameType, id: number, payload: Payload): void {
    if (type >= FrameType.open && type < FrameType.lost) this.#streams.onFrame(carrier, type, id, payload)
    else if (type === FrameType.lost) this.#onLostFrame(carrier, payload)
    else if (type === FrameType.want) this.#onWant(payload)
    else if (type === FrameType.retire) this.#onRetire(carrier)
    else this.#onSessionFrame(type, payload)
  }

  #onLostFrame(carrier: Carrier, { buffer, start }: Payload): void {
    const number = buffer.readUInt32BE(start)
    const isAck = buffer.readUInt8(start + 4) === 1
    // An agent has had no carrier that was not ready here first; the relay may have, if its WELCOME was lost.
    const mayBe = number !== carrier.number && (this.side === 'agent' || this.carriers.knows(number))
    if (!isAck && !mayBe) throw fail('frame.unexpected', 'LOST names its own carrier, or one that never was.')
    const isFresh = !isAck && this.#giveUp(number, false)
    this.carriers.confirm(number)
    if (!isAck) carrier.frames.sendLost(number, true)
    if (isFresh) this.#report()
  }

  #onWant({ buffer, start }: Payload): void {
    if (this.side === 'relay') throw fail('frame.unexpected')
    this.#relayWant = buffer.readUInt8(start)
    this.#options.events.onWant?.()
  }

  #onRetire(carrier: Carrier): void {
    if (this.side === 'agent') this.#retirement.released(carrier)
    else this.#startRetiring(carrier)
  }

  #onSessionFrame(type: FrameType, payload: Payload): void {
    const now = this.#options.clock.monotonic()
    if (!this.#bindsHeard.allows(type, payload.length, now)) throw fail('control.flood')
    const farewell = readSessionFrame(type, payload, this.side, this.#events)
    if (!farewell) return
    this.#isDraining = true
    if (farewell.isFinal)
      this.#farewell = fail(keyOfCode(farewell.code) ?? 'session.closed', farewell.message)
  }

  // --- inside
  #start(carrier: Carrier): void {
    carrier.handTo(this)
    this.carriers.announceAll(carrier)
    this.#options.liveness.add(carrier)
    carrier.ping()
    // It was lost before it was ours, and nobody else would report it.
    if (carrier.isLost) this.#options.clock.after(0, () => this.onLost(carrier, fail('carrier.lost')))
  }

  /** Stops using a carrier; those that waited go elsewhere, or are the caller's to offer. True: a report is owed. */
  #giveUp(number: number, isOurs: boolean, waiting?: Sender[]): boolean {
    const carrier = this.carriers.get(number)
    if (!this.carriers.remove(number, isOurs)) return false
    if (!carrier) return true
    this.#options.liveness.remove(carrier)
    const homeless = this.#streams.router.drop(carrier)
    carrier.handTo(deafHandler)
    carrier.lose(fail('carrier.lost'))
    if (waiting) waiting.push(...homeless)
    else for (const sender of homeless) sender.offer()
    if (this.carriers.size === 0 && !this.#isClosed) this.#detach()
    return true
  }

  #detach(): void {
    const graceMs = this.side === 'relay' ? limits.resumeGraceMs : limits.resumeTryMs
    this.#graceTimer ??= this.#options.clock.after(graceMs, () => this.#end(fail('carrier.lost'), false))
    this.#options.events.onDetached?.()
  }

  /** After a new loss: reports everything that the other side may have missed, on one carrier (rule 12). */
  #report(): void {
    const carrier = this.carriers.pick()
    const wasDetached = this.#owesReport
    this.#owesReport = !carrier
    if (!carrier) return
    if (this.side === 'relay' && this.#ownWant > 0) carrier.frames.sendWant(this.#ownWant)
    if (this.#goAwayBody) this.#say(FrameType.goAway, this.#goAwayBody)
    this.#talk.sayAgain(wasDetached)
    this.#streams.report(carrier)
  }

  #startRetiring(carrier: Carrier): void {
    if (carrier.isRetiring) return
    this.#retirement.start(carrier)
    this.#streams.router.elephants.assign()
  }

  #want(count: number): void {
    if (count === this.#ownWant) return
    this.#ownWant = count
    if (this.side === 'relay') this.carriers.pick()?.frames.sendWant(count)
    else this.#options.events.onWant?.()
  }

  #say(type: FrameType, body: unknown): void {
    const isAnswer = type === FrameType.bound || type === FrameType.unbound
    this.carriers.pick()?.frames.send(encodeJson(type, body), isAnswer)
  }

  #end(reason: PortTunnelerError, isSaid: boolean): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#graceTimer?.clear()
    this.#lastIds.close()
    this.#talk.close()
    this.#retirement.close()
    const body = { code: reason.code, message: reason.detail.slice(0, 500), graceMs: 0, redialMs: 0 }
    for (const carrier of [...this.carriers]) {
      this.#options.liveness.remove(carrier)
      carrier.handTo(deafHandler)
      if (isSaid) carrier.frames.send(encodeJson(FrameType.goAway, body))
      carrier.end()
    }
    this.#streams.abandon(isSaid ? reason.wire : sessionLostCode)
    this.#options.events.onClosed(reason)
  }
}

/**
 * One TLS connection of a session: which frames may go now, and what the frames mean that concern it alone. Reliable
 * and in order until it is lost, never after: once `onLost` was called nothing more is parsed or sent.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'
import {
  frameBytes,
  readPong,
  type Standing,
  writeCredit,
  writeEmpty,
  writeFin,
  writeLost,
  writeOpened,
  writePing,
  writePong,
  writeReset,
  writeSync,
  writeWant,
} from '../protocol/frame-writers.ts'
import {
  dataHeaderBytes,
  FrameDecoder,
  type FrameHandler,
  FrameType,
  type Payload,
  writeDataHead,
} from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'
import { CarrierSocket, type SocketEvents } from './carrier-socket.ts'
import { PingsHeard } from './pings-heard.ts'
import { frameSlabs, type Slabs } from './slab.ts'
import type { Flushable, Turn } from './turn.ts'
import type { WorkShare } from './work-share.ts'

/** Who is responsible for a carrier: the handshake first, then the session, at last nobody. */
export type CarrierHandler = {
  /** `bytes` are the carrier's again when this returns. */
  onData(stream: number, offset: number, bytes: Buffer): void
  onFrame(carrier: Carrier, type: FrameType, stream: number, payload: Payload): void
  /** Somebody waits to send there. */
  isAwaited(carrier: Carrier): boolean
  /** May send again: after a turn's write, or when a full socket drained. */
  onWritable(carrier: Carrier): void
  /** The other side broke the protocol: the session ends with this code (rule 9). */
  onViolation(carrier: Carrier, reason: PortTunnelerError): void
  /** Once; no other call follows. */
  onLost(carrier: Carrier, reason: PortTunnelerError): void
}

export class Carrier implements Flushable, FrameHandler, SocketEvents {
  readonly socket: Duplex
  /** What is sent lies in its current one. */
  readonly slabs: Slabs
  /** Chosen by the agent; the relay learns it from HELLO. */
  number: number
  /** Whoever is responsible now. */
  handler: CarrierHandler
  /** Monotonic ms of the last byte that came in. */
  heardAtMs: number
  /** Smoothed round trip of PINGs; undefined before the first. */
  rttMs: number | undefined
  /** Monotonic ms of the last PING sent, and whether its PONG is still to come. */
  pingedAtMs = Number.NEGATIVE_INFINITY
  isPingOutstanding = false
  /** Silent or slow to answer: new frames go elsewhere while there is an elsewhere (rule 23). */
  isSuspect = false
  /** dedicated: of one elephant in each direction; shared: of all the others. */
  kind: 'shared' | 'dedicated' = 'shared'
  /** RETIRE was said: nothing new goes here (rule 21). */
  isRetiring = false
  /** The other side said that nothing of its own is on the way here any more. */
  isReleased = false
  /** Losses of other carriers that were announced on this one (rule 11). */
  readonly announced = new Set<number>()

  readonly #turn: Turn
  readonly #clock: Clock
  readonly #decoder = new FrameDecoder()
  readonly #wire: CarrierSocket
  #batchBytes = 0
  #isDirty = false
  #sentBytes = 0
  /** Bytes of answers to what the other side said, written since the socket last took everything. */
  #answerBytes = 0
  readonly #backlog = new Backlog()
  #isLost = false
  #pingNumber = 0
  #dependents = 0
  readonly #pingsHeard = new PingsHeard()
  #work: WorkShare | undefined
  /** In what was read last. */
  #dataBytes = 0

  constructor(options: {
    socket: Duplex
    number: number
    turn: Turn
    clock: Clock
    handler: CarrierHandler
    /** Default: the process's. */
    slabs?: Slabs
  }) {
    this.socket = options.socket
    this.number = options.number
    this.handler = options.handler
    this.#turn = options.turn
    this.#clock = options.clock
    this.heardAtMs = options.clock.monotonic()
    this.slabs = options.slabs ?? frameSlabs
    this.#wire = new CarrierSocket(options.socket, { turn: options.turn, slabs: this.slabs, events: this })
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** What its frames cost from now on counts as work of this share. */
  countAs(work: WorkShare): void {
    if (this.#isLost) return
    this.#work = work
    work.add(this.#wire)
  }

  /** Streams that have something unacknowledged here. */
  get dependents(): number {
    return this.#dependents
  }

  boarded(): void {
    this.#dependents += 1
  }

  left(): void {
    this.#dependents -= 1
  }

  /** This machine's address on the path, of a socket. */
  get localAddress(): string | undefined {
    return this.#wire.localAddress
  }

  /** Bytes sent under one traffic key; Node cannot update it (rule 21). */
  get isWornOut(): boolean {
    return this.#sentBytes > limits.carrierBytesMax
  }

  /** The socket has not taken what was written: whatever is said now comes behind that. */
  get isFull(): boolean {
    if (this.kind === 'dedicated') return this.#wire.queuedBytes >= limits.dedicatedQueueBytes
    return this.#wire.needsDrain
  }

  /** False while the socket or the path is full or this turn has gathered enough; `onWritable` follows. */
  get canSend(): boolean {
    if (this.#isLost || this.#batchBytes >= limits.batchBytes || this.isFull) return false
    // On a carrier of its own an elephant makes nobody wait.
    return this.kind === 'dedicated' || !this.#backlog.isFull
  }

  /** Sends DATA, a copy of it; returns where in `slabs.current` the copy lies, or -1 when the carrier is lost. */
  sendData(stream: number, offset: number, bytes: Buffer): number {
    const at = this.#reserve(dataHeaderBytes + bytes.length)
    if (at < 0) return -1
    const { buffer } = this.slabs.current
    writeDataHead(buffer, at, stream, offset, bytes.length)
    bytes.copy(buffer, at + dataHeaderBytes)
    return at + dataHeaderBytes
  }

  sendFin(stream: number, offset: number): void {
    const at = this.#reserve(frameBytes.fin)
    if (at >= 0) writeFin(this.slabs.current.buffer, at, stream, offset)
  }

  sendCredit(stream: number, consumed: number, window: number): void {
    const at = this.#reserve(frameBytes.credit)
    if (at >= 0) writeCredit(this.slabs.current.buffer, at, stream, consumed, window)
  }

  sendSync(stream: number, standing: Standing): void {
    const at = this.#reserve(frameBytes.sync)
    if (at >= 0) writeSync(this.slabs.current.buffer, at, stream, standing)
  }

  sendWant(count: number): void {
    const at = this.#reserve(frameBytes.want)
    if (at >= 0) writeWant(this.slabs.current.buffer, at, count)
  }

  sendLost(carrier: number, isAck: boolean): void {
    const at = this.#reserve(frameBytes.lost)
    if (at < 0) return
    if (isAck) this.#answerBytes += frameBytes.lost
    writeLost(this.slabs.current.buffer, at, carrier, isAck)
  }

  sendReset(stream: number, code: number): void {
    const at = this.#reserve(frameBytes.reset)
    if (at >= 0) writeReset(this.slabs.current.buffer, at, stream, code)
  }

  /** RESET as the answer to a frame of the other side. */
  answerReset(stream: number, code: number): void {
    this.#answerBytes += frameBytes.reset
    this.sendReset(stream, code)
  }

  sendOpened(stream: number, connectMs: number): void {
    const at = this.#reserve(frameBytes.opened)
    if (at >= 0) writeOpened(this.slabs.current.buffer, at, stream, connectMs)
  }

  sendEmpty(type: FrameType, stream: number): void {
    const at = this.#reserve(frameBytes.empty)
    if (at >= 0) writeEmpty(this.slabs.current.buffer, at, type, stream)
  }

  /** Asks for a sign of life; its answer sets `rttMs`. */
  ping(): void {
    this.#pingNumber = (this.#pingNumber + 1) >>> 0
    this.pingedAtMs = this.#clock.monotonic()
    this.isPingOutstanding = true
    const at = this.#reserve(frameBytes.ping)
    if (at >= 0) writePing(this.slabs.current.buffer, at, this.#pingNumber)
  }

  /** A frame made elsewhere, head included. `isAnswer`: the other side asked for it. */
  send(frame: Buffer, isAnswer = false): void {
    if (isAnswer) this.#answerBytes += frame.length
    const at = this.#reserve(frame.length)
    if (at >= 0) frame.copy(this.slabs.current.buffer, at)
  }

  /** Writes what this turn gathered. Called by the turn. */
  flush(): void {
    if (this.kind === 'shared' && this.#backlog.isMarkDue(this.#clock.monotonic())) this.#mark()
    this.#isDirty = false
    if (this.#isLost) return
    this.#batchBytes = 0
    this.#wire.write()
    if (!this.isFull) this.#answerBytes = 0
    if (this.canSend) this.handler.onWritable(this)
    // What this side says of its own accord is its own to bound; what it is made to say, the other side must read.
    else if (this.#answerBytes > limits.answerQueueBytes)
      this.lose(fail('control.flood', 'The other side does not read what it asks for.'))
  }

  /** Sends what is gathered, then closes; whatever still comes in is not parsed. */
  end(): void {
    if (this.#isLost) return
    if (this.#isDirty) this.flush()
    this.#isLost = true
    this.#work?.remove(this.#wire)
    this.#wire.end(this.#clock)
  }

  /** Gives the connection up at once; what was read and not parsed is ignored (rule 10). Idempotent. */
  lose(reason: PortTunnelerError): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#work?.remove(this.#wire)
    this.#wire.destroy()
    this.handler.onLost(this, reason)
  }

  onData(stream: number, offset: number, bytes: Buffer): void {
    if (this.#isLost) return
    this.#dataBytes += bytes.length
    this.handler.onData(stream, offset, bytes)
  }

  onFrame(type: FrameType, stream: number, payload: Payload): void {
    if (this.#isLost) return
    if (type === FrameType.ping) this.#onPing(payload)
    else if (type === FrameType.pong) this.#onPong(payload)
    else this.handler.onFrame(this, type, stream, payload)
  }

  // --- of the socket
  onDrain(): void {
    this.#answerBytes = 0
    this.handler.onWritable(this)
  }

  onBytes(chunk: Buffer): void {
    this.heardAtMs = this.#clock.monotonic()
    this.#pingsHeard.received(chunk.length)
    this.#dataBytes = 0
    try {
      this.#decoder.push(chunk, this)
    } catch (error) {
      if (!isFailure(error)) throw error
      this.handler.onViolation(this, error)
    }
    this.#work?.worked(this.heardAtMs, 2 * this.#dataBytes < chunk.length)
  }

  onGone(reason: PortTunnelerError): void {
    this.lose(reason)
  }

  #onPing({ buffer, start }: Payload): void {
    if (!this.#pingsHeard.allows(this.heardAtMs)) throw fail('control.flood')
    const at = this.#reserve(frameBytes.ping)
    this.#answerBytes += frameBytes.ping
    if (at >= 0) writePong(this.slabs.current.buffer, at, buffer, start)
  }

  /** Asks when all that was sent has arrived (rule 22). */
  #mark(): void {
    this.ping()
    const isBusy = this.handler.isAwaited(this) || this.isFull
    this.#backlog.marked(this.#pingNumber, this.pingedAtMs, isBusy)
  }

  #onPong({ buffer, start }: Payload): void {
    const number = readPong(buffer, start)
    this.#backlog.answered(number, this.heardAtMs)
    if (this.kind === 'shared' && this.#backlog.isMarkDue(this.heardAtMs)) this.#mark()
    if (this.canSend) this.handler.onWritable(this)
    if (!this.isPingOutstanding || number !== this.#pingNumber) return
    this.isPingOutstanding = false
    this.isSuspect = false
    const sample = this.heardAtMs - this.pingedAtMs
    this.#backlog.sawRoundTrip(sample)
    this.rttMs = this.rttMs === undefined ? sample : this.rttMs + (sample - this.rttMs) / 8
  }

  /** Room in `slabs.current` for `bytes` behind what is gathered; -1 when the carrier is lost. */
  #reserve(bytes: number): number {
    if (this.#isLost) return -1
    const start = this.#wire.take(bytes)
    this.#batchBytes += bytes
    this.#sentBytes += bytes
    this.#backlog.sent(bytes)
    if (!this.#isDirty) {
      this.#isDirty = true
      this.#turn.add(this)
    }
    return start
  }
}

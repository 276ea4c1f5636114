/**
 * One TLS connection of a session: frames in, frames out, gathered into one write a turn. Reliable and in order until
 * it is lost, never after: once `onLost` was called nothing more is parsed or sent.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'
import {
  dataHeaderBytes,
  FrameDecoder,
  type FrameHandler,
  FrameType,
  type Payload,
  writeDataHead,
  writeHead,
  writeU48,
} from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'
import { Gather } from './gather.ts'
import { PingsHeard } from './pings-heard.ts'
import { readInto } from './read-into.ts'
import { frameSlabs } from './slab.ts'
import type { Flushable, Turn } from './turn.ts'

const { headerBytes } = limits

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

export class Carrier implements Flushable, FrameHandler {
  readonly socket: Duplex
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
  /** Streams that have something unacknowledged here; counted by `Rides`. */
  dependents = 0
  /** RETIRE was said: nothing new goes here (rule 21). */
  isRetiring = false
  /** The other side said that nothing of its own is on the way here any more. */
  isReleased = false
  /** Losses of other carriers that were announced on this one (rule 11). */
  readonly announced = new Set<number>()

  readonly #turn: Turn
  readonly #clock: Clock
  readonly #decoder = new FrameDecoder()
  readonly #gather = new Gather(frameSlabs)
  #batchBytes = 0
  #isDirty = false
  #sentBytes = 0
  #turnBytes = 0
  /** Bytes of answers to what the other side said, written since the socket last took everything. */
  #answerBytes = 0
  readonly #backlog = new Backlog()
  #isLost = false
  #pingNumber = 0
  readonly #pingsHeard = new PingsHeard()

  constructor(options: {
    socket: Duplex
    number: number
    turn: Turn
    clock: Clock
    handler: CarrierHandler
  }) {
    this.socket = options.socket
    this.number = options.number
    this.handler = options.handler
    this.#turn = options.turn
    this.#clock = options.clock
    this.heardAtMs = options.clock.monotonic()
    if (this.socket instanceof Socket) readInto(this.socket, 'tls', this.#onBytes)
    else this.socket.on('data', this.#onBytes)
    this.socket.on('drain', this.#onDrain)
    this.socket.on('error', (cause) => this.lose(fail('carrier.lost', undefined, { cause })))
    for (const event of ['end', 'close']) this.socket.on(event, () => this.lose(fail('carrier.lost')))
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** This machine's address on the path, of a socket. */
  get localAddress(): string | undefined {
    return this.socket instanceof Socket ? this.socket.localAddress : undefined
  }

  /** Bytes sent under one traffic key; Node cannot update it (rule 21). */
  get isWornOut(): boolean {
    return this.#sentBytes > limits.carrierBytesMax
  }

  /** The socket has not taken all that was written: whatever is said now comes behind that. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain
  }

  /** False while the socket or the path is full or this turn has gathered enough; `onWritable` follows. */
  get canSend(): boolean {
    if (this.#isLost || this.#batchBytes >= limits.batchBytes || this.socket.writableNeedDrain) return false
    // On a carrier of its own an elephant makes nobody wait.
    return this.kind === 'dedicated' || !this.#backlog.isFull
  }

  /**
   * Sends DATA, a copy of it; answers where in `frameSlabs.current` the copied bytes lie, or -1 when the carrier is
   * lost.
   */
  sendData(stream: number, offset: number, bytes: Buffer): number {
    const at = this.#reserve(dataHeaderBytes + bytes.length)
    if (at < 0) return -1
    const { buffer } = frameSlabs.current
    writeDataHead(buffer, at, stream, offset, bytes.length)
    bytes.copy(buffer, at + dataHeaderBytes)
    return at + dataHeaderBytes
  }

  sendFin(stream: number, offset: number): void {
    const at = this.#small(FrameType.fin, stream, 6)
    if (at >= 0) writeU48(frameSlabs.current.buffer, offset, at)
  }

  sendCredit(stream: number, consumed: number, window: number): void {
    const at = this.#small(FrameType.credit, stream, 10)
    if (at < 0) return
    writeU48(frameSlabs.current.buffer, consumed, at)
    frameSlabs.current.buffer.writeUInt32BE(window, at + 6)
  }

  sendSync(
    stream: number,
    { next, consumed, window }: { next: number; consumed: number; window: number },
  ): void {
    const at = this.#small(FrameType.sync, stream, 16)
    if (at < 0) return
    writeU48(frameSlabs.current.buffer, next, at)
    writeU48(frameSlabs.current.buffer, consumed, at + 6)
    frameSlabs.current.buffer.writeUInt32BE(window, at + 12)
  }

  sendWant(count: number): void {
    const at = this.#small(FrameType.want, 0, 1)
    if (at >= 0) frameSlabs.current.buffer.writeUInt8(Math.min(count, 255), at)
  }

  sendLost(carrier: number, isAck: boolean): void {
    const at = this.#small(FrameType.lost, 0, 5)
    if (at < 0) return
    if (isAck) this.#answerBytes += headerBytes + 5
    frameSlabs.current.buffer.writeUInt32BE(carrier, at)
    frameSlabs.current.buffer.writeUInt8(isAck ? 1 : 0, at + 4)
  }

  sendReset(stream: number, code: number): void {
    const at = this.#small(FrameType.reset, stream, 2)
    if (at >= 0) frameSlabs.current.buffer.writeUInt16BE(code, at)
  }

  /** RESET as the answer to a frame of the other side. */
  answerReset(stream: number, code: number): void {
    this.#answerBytes += headerBytes + 2
    this.sendReset(stream, code)
  }

  sendOpened(stream: number, connectMs: number): void {
    const at = this.#small(FrameType.opened, stream, 4)
    if (at >= 0) frameSlabs.current.buffer.writeUInt32BE(Math.min(Math.round(connectMs), 0xffffffff), at)
  }

  sendEmpty(type: FrameType, stream: number): void {
    this.#small(type, stream, 0)
  }

  /** Asks for a sign of life; its answer sets `rttMs`. */
  ping(): void {
    this.#pingNumber = (this.#pingNumber + 1) >>> 0
    this.pingedAtMs = this.#clock.monotonic()
    this.isPingOutstanding = true
    const at = this.#small(FrameType.ping, 0, 8)
    if (at < 0) return
    frameSlabs.current.buffer.writeUInt32BE(0, at)
    frameSlabs.current.buffer.writeUInt32BE(this.#pingNumber, at + 4)
  }

  /** A frame made elsewhere, head included. `isAnswer`: the other side asked for it. */
  send(frame: Buffer, isAnswer = false): void {
    if (isAnswer) this.#answerBytes += frame.length
    const at = this.#reserve(frame.length)
    if (at >= 0) frame.copy(frameSlabs.current.buffer, at)
  }

  /** Writes what this turn gathered. Called by the turn. */
  flush(): void {
    if (this.kind === 'shared' && this.#backlog.isMarkDue(this.#clock.monotonic())) this.#mark()
    this.#isDirty = false
    if (this.#isLost) return
    this.#batchBytes = 0
    this.#gather.writeTo(this.socket)
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
    this.#gather.writeHeld(this.socket)
    this.#isLost = true
    this.socket.end()
    const destroy = () => this.socket.destroy()
    const timer = this.#clock.after(limits.headDeadlineMs / 5, destroy, { background: true })
    this.socket.once('close', () => timer.clear())
    this.socket.resume()
  }

  /** Gives the connection up at once; what was read and not parsed is ignored (rule 10). Idempotent. */
  lose(reason: PortTunnelerError): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#gather.drop()
    this.socket.destroy()
    this.handler.onLost(this, reason)
  }

  onData(stream: number, offset: number, bytes: Buffer): void {
    if (!this.#isLost) this.handler.onData(stream, offset, bytes)
  }

  onFrame(type: FrameType, stream: number, payload: Payload): void {
    if (this.#isLost) return
    if (type === FrameType.ping) this.#onPing(payload)
    else if (type === FrameType.pong) this.#onPong(payload)
    else this.handler.onFrame(this, type, stream, payload)
  }

  readonly #onDrain = (): void => {
    if (this.#isLost) return
    this.#answerBytes = 0
    this.#gather.writeHeld(this.socket)
    this.handler.onWritable(this)
  }

  readonly #onBytes = (chunk: Buffer): void => {
    if (this.#isLost) return
    this.heardAtMs = this.#clock.monotonic()
    this.#pingsHeard.received(chunk.length)
    this.#rest(chunk.length)
    try {
      this.#decoder.push(chunk, this)
    } catch (error) {
      if (!isFailure(error)) throw error
      this.handler.onViolation(this, error)
    }
  }

  /** Read enough for one turn: others' reads, and what they are to write, come first. */
  #rest(bytes: number): void {
    if (this.#turnBytes === 0) this.#turn.add(this.#newTurn)
    this.#turnBytes += bytes
    if (this.#turnBytes < limits.readTurnBytes || this.socket.isPaused()) return
    this.socket.pause()
  }

  readonly #newTurn: Flushable = {
    flush: () => {
      if (this.#turnBytes >= limits.readTurnBytes) this.socket.resume()
      this.#turnBytes = 0
    },
  }

  #onPing({ buffer, start }: Payload): void {
    if (!this.#pingsHeard.allows(this.heardAtMs)) throw fail('control.flood')
    const at = this.#small(FrameType.pong, 0, 8)
    this.#answerBytes += headerBytes + 8
    if (at >= 0) buffer.copy(frameSlabs.current.buffer, at, start, start + 8)
  }

  /** Asks when all that was sent has arrived (rule 22). */
  #mark(): void {
    this.ping()
    const isBusy = this.handler.isAwaited(this) || this.socket.writableNeedDrain
    this.#backlog.marked(this.#pingNumber, this.pingedAtMs, isBusy)
  }

  #onPong({ buffer, start }: Payload): void {
    this.#backlog.answered(buffer.readUInt32BE(start + 4), this.heardAtMs)
    if (this.kind === 'shared' && this.#backlog.isMarkDue(this.heardAtMs)) this.#mark()
    if (this.canSend) this.handler.onWritable(this)
    if (!this.isPingOutstanding || buffer.readUInt32BE(start + 4) !== this.#pingNumber) return
    this.isPingOutstanding = false
    this.isSuspect = false
    const sample = this.heardAtMs - this.pingedAtMs
    this.#backlog.sawRoundTrip(sample)
    this.rttMs = this.rttMs === undefined ? sample : this.rttMs + (sample - this.rttMs) / 8
  }

  /**
   * A frame with a small payload: writes its head, answers where the payload goes, or -1 when there is no one
   * to send to.
   */
  #small(type: FrameType, stream: number, length: number): number {
    const at = this.#reserve(headerBytes + length)
    if (at < 0) return -1
    writeHead(frameSlabs.current.buffer, at, { type, length, stream })
    return at + headerBytes
  }

  /** Room in `frameSlabs.current` for `bytes` behind what is gathered; -1 when the carrier is lost. */
  #reserve(bytes: number): number {
    if (this.#isLost) return -1
    const start = this.#gather.take(bytes)
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

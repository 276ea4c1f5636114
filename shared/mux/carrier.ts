/**
 * One TLS connection of a session: it handles the frames that concern only this connection, and passes on the others.
 * It is reliable and in order until it is lost: once `onLost` was called nothing more is parsed or sent. What it sends
 * is in frames-out.ts, how much may go in pace.ts, whether it lives in pulse.ts, its socket in carrier-socket.ts.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { fail, isFailure, type PortTunnelerError } from '../base/errors.ts'
import { readPong } from '../protocol/frame-writers.ts'
import { FrameDecoder, type FrameHandler, FrameType, type Payload } from '../protocol/frames.ts'
import { CarrierSocket, type SocketEvents } from './carrier-socket.ts'
import { FramesOut } from './frames-out.ts'
import { type CarrierKind, Pace } from './pace.ts'
import { PingsHeard } from './pings-heard.ts'
import { Pulse } from './pulse.ts'
import type { Flushable, Turn } from './turn.ts'
import type { JointWork, JoinWork } from './work-share.ts'

/** The owner of a carrier: the handshake first, then the session, at last nobody. */
export type CarrierHandler = {
  /** The carrier uses `bytes` again when this returns. */
  onData(stream: number, offset: number, bytes: Buffer): void
  onFrame(carrier: Carrier, type: FrameType, stream: number, payload: Payload): void
  /** Whether somebody waits to send there. */
  isAwaited(carrier: Carrier): boolean
  /** It may send again: after a turn's write, or when a full socket drained. */
  onWritable(carrier: Carrier): void
  /** The other side broke the protocol: the session ends with this code (rule 9). */
  onViolation(carrier: Carrier, reason: PortTunnelerError): void
  /** Called once; no other call follows. */
  onLost(carrier: Carrier, reason: PortTunnelerError): void
}

export class Carrier implements Flushable, FrameHandler, SocketEvents {
  /** What it sends. */
  readonly frames: FramesOut
  /** Whether it lives. */
  readonly pulse: Pulse
  readonly #clock: Clock
  readonly #decoder = new FrameDecoder()
  readonly #wire: CarrierSocket
  readonly #pace: Pace
  readonly #pingsHeard = new PingsHeard()
  #handler: CarrierHandler
  #number: number
  #isLost = false
  #isRetiring = false
  #dependents = 0
  #work: JointWork | undefined
  /** Bytes of DATA in the last read. */
  #dataBytes = 0

  constructor(options: {
    socket: Duplex
    number: number
    turn: Turn
    clock: Clock
    handler: CarrierHandler
  }) {
    const { socket, turn, clock } = options
    this.#number = options.number
    this.#handler = options.handler
    this.#clock = clock
    this.pulse = new Pulse(clock.monotonic())
    const wire = new CarrierSocket(socket, turn, this)
    this.#wire = wire
    this.#pace = new Pace(wire)
    this.frames = new FramesOut({ wire, pace: this.#pace, turn, owner: this })
  }

  /** The agent chooses it; the relay learns it from HELLO. */
  get number(): number {
    return this.#number
  }

  get kind(): CarrierKind {
    return this.#pace.kind
  }

  /** Sets what HELLO says about it. */
  introduce({ number, kind }: { readonly number: number; readonly kind: CarrierKind }): void {
    this.#number = number
    this.#pace.setKind(kind)
  }

  /** Sets the owner from now on. */
  handTo(handler: CarrierHandler): void {
    this.#handler = handler
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** See `Pulse`. */
  get isSuspect(): boolean {
    return this.pulse.isSuspect
  }

  /** RETIRE was sent: nothing new goes here (rule 21). */
  get isRetiring(): boolean {
    return this.#isRetiring
  }

  retire(): void {
    this.#isRetiring = true
  }

  /** Counts the cost of its frames from now on. */
  countAs(join: JoinWork): void {
    if (!this.#isLost) this.#work = join(this.#wire)
  }

  /** How many streams have something unacknowledged here. */
  get dependents(): number {
    return this.#dependents
  }

  boarded(): void {
    this.#dependents += 1
  }

  left(): void {
    this.#dependents -= 1
  }

  /** This machine's address on the path, if it is a socket. */
  get localAddress(): string | undefined {
    return this.#wire.localAddress
  }

  /** Whether it has sent as much as one traffic key allows (rule 21). */
  get isWornOut(): boolean {
    return this.#pace.isWornOut
  }

  /** The socket has not accepted all that was written: new bytes wait behind them. */
  get isFull(): boolean {
    return this.#pace.isFull
  }

  /** False while the socket or the path is full or this turn has gathered enough; `onWritable` follows. */
  get canSend(): boolean {
    return !this.#isLost && this.#pace.canSend
  }

  /** Asks for a sign of life; the answer shows the round trip. @returns the number of the PING */
  ping(): number {
    const number = this.pulse.asked(this.#clock.monotonic())
    this.frames.sendPing(number)
    return number
  }

  /** Writes what this turn gathered. Called by the turn. */
  flush(): number {
    if (this.#pace.isMarkDue(this.#clock.monotonic())) this.#mark()
    const frames = this.frames.write()
    if (this.#isLost) return frames
    if (this.canSend) this.#handler.onWritable(this)
    else if (this.#pace.isFlooded)
      this.lose(fail('control.flood', 'The other side does not read what it asks for.'))
    return frames
  }

  /** Sends what is gathered, then closes; later input is not parsed. */
  end(): void {
    if (this.#isLost) return
    if (this.frames.isDirty) this.flush()
    this.#stop()
    this.#wire.end(this.#clock)
  }

  /** Leaves the connection, on which nothing was sent, to somebody else. */
  detach(): void {
    this.#stop()
    this.#wire.detach()
  }

  /** Gives the connection up at once; bytes that were read and not parsed are ignored (rule 10). Idempotent. */
  lose(reason: PortTunnelerError): void {
    if (this.#isLost) return
    this.#stop()
    this.#wire.destroy()
    this.#handler.onLost(this, reason)
  }

  onData(stream: number, offset: number, bytes: Buffer): void {
    if (this.#isLost) return
    this.#dataBytes += bytes.length
    this.#handler.onData(stream, offset, bytes)
  }

  onFrame(type: FrameType, stream: number, payload: Payload): void {
    if (this.#isLost) return
    if (type === FrameType.ping) this.#onPing(payload)
    else if (type === FrameType.pong) this.#onPong(payload)
    else this.#handler.onFrame(this, type, stream, payload)
  }

  /** Does work that its frames caused, and counts it like theirs. */
  count(work: () => void): void {
    const startMs = this.#clock.monotonic()
    work()
    this.#work?.worked(startMs, true)
  }

  // --- of the socket
  onDrain(): void {
    this.#pace.drained()
    this.#handler.onWritable(this)
  }

  onBytes(chunk: Buffer): void {
    const nowMs = this.#clock.monotonic()
    this.pulse.heard(nowMs)
    this.#pingsHeard.received(chunk.length)
    this.#dataBytes = 0
    try {
      this.#decoder.push(chunk, this)
    } catch (error) {
      if (!isFailure(error)) throw error
      this.#handler.onViolation(this, error)
    }
    this.#work?.worked(nowMs, 2 * this.#dataBytes < chunk.length)
  }

  onGone(reason: PortTunnelerError): void {
    this.lose(reason)
  }

  #onPing(payload: Payload): void {
    if (!this.#pingsHeard.allows(this.pulse.heardAtMs)) throw fail('control.flood')
    this.frames.answerPing(payload)
  }

  /** Sends a PING to learn when all that was sent has arrived (rule 22). */
  #mark(): void {
    const number = this.ping()
    this.#pace.marked(number, this.pulse.askedAtMs, this.#handler.isAwaited(this))
  }

  #onPong({ buffer, start }: Payload): void {
    const number = readPong(buffer, start)
    const nowMs = this.pulse.heardAtMs
    this.#pace.arrived(number, nowMs)
    if (this.#pace.isMarkDue(nowMs)) this.#mark()
    if (this.canSend) this.#handler.onWritable(this)
    const rttMs = this.pulse.answered(number)
    if (rttMs !== undefined) this.#pace.sawRoundTrip(rttMs)
  }

  #stop(): void {
    this.#isLost = true
    this.frames.close()
    this.#work?.close()
  }
}

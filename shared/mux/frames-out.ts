/**
 * The frames that one connection sends. Each is written after the bytes gathered in this turn, in memory that is used
 * again, so no object is made for a frame. `Carrier` writes them all at once at the end of the turn.
 */
import {
  frameBytes,
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
import { dataHeaderBytes, type FrameType, type Payload, writeDataHead } from '../protocol/frames.ts'
import type { CarrierSocket } from './carrier-socket.ts'
import type { Pace } from './pace.ts'
import type { Slabs } from './slab.ts'
import type { Flushable, Turn } from './turn.ts'

export type FramesOutOptions = {
  readonly wire: CarrierSocket
  readonly pace: Pace
  readonly turn: Turn
  /** It is flushed at the end of a turn in which something was gathered. */
  readonly owner: Flushable
}

export class FramesOut {
  /** Sent bytes are in its current slab. */
  readonly slabs: Slabs
  readonly #wire: CarrierSocket
  readonly #pace: Pace
  readonly #turn: Turn
  readonly #owner: Flushable
  #isDirty = false
  #frames = 0
  #isClosed = false

  constructor({ wire, pace, turn, owner }: FramesOutOptions) {
    this.#wire = wire
    this.slabs = turn.frameSlabs
    this.#pace = pace
    this.#turn = turn
    this.#owner = owner
  }

  /** Whether something is gathered and not written. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /** Writes what this turn gathered. */
  write(): number {
    const frames = this.#frames
    this.#frames = 0
    this.#isDirty = false
    if (this.#isClosed) return 0
    this.#wire.write()
    this.#pace.wrote()
    return frames
  }

  /** Sends nothing more. */
  close(): void {
    this.#isClosed = true
  }

  /** Sends a copy of `bytes`. @returns where it is in `slabs.current`, or -1 when the carrier is lost */
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
    const at = isAck ? this.#reserveAnswer(frameBytes.lost) : this.#reserve(frameBytes.lost)
    if (at >= 0) writeLost(this.slabs.current.buffer, at, carrier, isAck)
  }

  sendReset(stream: number, code: number): void {
    const at = this.#reserve(frameBytes.reset)
    if (at >= 0) writeReset(this.slabs.current.buffer, at, stream, code)
  }

  /** Sends RESET in answer to a frame of the other side. */
  answerReset(stream: number, code: number): void {
    const at = this.#reserveAnswer(frameBytes.reset)
    if (at >= 0) writeReset(this.slabs.current.buffer, at, stream, code)
  }

  sendOpened(stream: number, connectMs: number): void {
    const at = this.#reserve(frameBytes.opened)
    if (at >= 0) writeOpened(this.slabs.current.buffer, at, stream, connectMs)
  }

  sendEmpty(type: FrameType, stream: number): void {
    const at = this.#reserve(frameBytes.empty)
    if (at >= 0) writeEmpty(this.slabs.current.buffer, at, type, stream)
  }

  sendPing(number: number): void {
    const at = this.#reserve(frameBytes.ping)
    if (at >= 0) writePing(this.slabs.current.buffer, at, number)
  }

  /** Answers a PING with this payload. */
  answerPing({ buffer, start }: Payload): void {
    const at = this.#reserveAnswer(frameBytes.ping)
    if (at >= 0) writePong(this.slabs.current.buffer, at, buffer, start)
  }

  /** Sends a frame made elsewhere, with its head. `isAnswer`: the other side caused it. */
  send(frame: Buffer, isAnswer = false): void {
    const at = isAnswer ? this.#reserveAnswer(frame.length) : this.#reserve(frame.length)
    if (at >= 0) frame.copy(this.slabs.current.buffer, at)
  }

  #reserveAnswer(bytes: number): number {
    this.#pace.answered(bytes)
    return this.#reserve(bytes)
  }

  /** Reserves room in `slabs.current` for `bytes` after what is gathered. @returns -1 when the carrier is lost */
  #reserve(bytes: number): number {
    if (this.#isClosed) return -1
    const start = this.#wire.take(bytes)
    this.#pace.gathered(bytes)
    this.#frames += 1
    if (!this.#isDirty) {
      this.#isDirty = true
      this.#turn.add(this.#owner, bytes)
    }
    return start
  }
}

/**
 * How much a connection may be given now: by its socket, by its path (backlog.ts) and by the limit of one turn (rule
 * 22). It also counts what a carrier may send under one traffic key, and answers that nobody reads.
 */
import { limits } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'
import type { CarrierSocket } from './carrier-socket.ts'

/** dedicated: for one elephant in each direction; shared: for all others. */
export type CarrierKind = 'shared' | 'dedicated'

export class Pace {
  readonly #wire: CarrierSocket
  readonly #backlog = new Backlog()
  #kind: CarrierKind = 'shared'
  #turnBytes = 0
  #sentBytes = 0
  /** Bytes of answers to the other side, written since the socket last accepted everything. */
  #answerBytes = 0

  constructor(wire: CarrierSocket) {
    this.#wire = wire
  }

  get kind(): CarrierKind {
    return this.#kind
  }

  setKind(kind: CarrierKind): void {
    this.#kind = kind
  }

  /** Bytes sent under one traffic key; Node cannot update it (rule 21). */
  get isWornOut(): boolean {
    return this.#sentBytes > limits.carrierBytesMax
  }

  /** The socket has not accepted all that was written: new bytes wait behind them. */
  get isFull(): boolean {
    if (this.#kind === 'dedicated') return this.#wire.queuedBytes >= limits.dedicatedQueueBytes
    return this.#wire.needsDrain
  }

  /** False while the socket or the path is full or this turn has gathered enough. */
  get canSend(): boolean {
    if (this.#turnBytes >= limits.batchBytes || this.isFull) return false
    // On a carrier of its own an elephant makes no other stream wait.
    return this.#kind === 'dedicated' || !this.#backlog.isFull
  }

  /** This side bounds what it sends by itself; the other side must read what it causes. */
  get isFlooded(): boolean {
    return this.#answerBytes > limits.answerQueueBytes
  }

  /** This many bytes were gathered. */
  gathered(bytes: number): void {
    this.#turnBytes += bytes
    this.#sentBytes += bytes
    this.#backlog.sent(bytes)
  }

  /** This many of them answer the other side. */
  answered(bytes: number): void {
    this.#answerBytes += bytes
  }

  /** The bytes gathered in a turn were written. */
  wrote(): void {
    this.#turnBytes = 0
    if (!this.isFull) this.#answerBytes = 0
  }

  drained(): void {
    this.#answerBytes = 0
  }

  /** Whether a PING now would show when all that was sent has arrived. */
  isMarkDue(nowMs: number): boolean {
    return this.#kind === 'shared' && this.#backlog.isMarkDue(nowMs)
  }

  /** PING number `ping` was sent after all the rest. `isAwaited`: somebody waits to send more. */
  marked(ping: number, nowMs: number, isAwaited: boolean): void {
    this.#backlog.marked(ping, nowMs, isAwaited || this.isFull)
  }

  /** PONG number `ping` came. */
  arrived(ping: number, nowMs: number): void {
    this.#backlog.answered(ping, nowMs)
  }

  sawRoundTrip(rttMs: number): void {
    this.#backlog.sawRoundTrip(rttMs)
  }
}

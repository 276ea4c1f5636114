/**
 * How much a connection may be given now: by its socket, by its path (backlog.ts) and by what one turn may gather
 * (rule 22). It also counts what a carrier may send under one traffic key, and the answers that nobody reads.
 */
import { limits } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'
import type { CarrierSocket } from './carrier-socket.ts'

/** dedicated: of one elephant in each direction; shared: of all the others. */
export type CarrierKind = 'shared' | 'dedicated'

export class Pace {
  readonly #wire: CarrierSocket
  readonly #backlog = new Backlog()
  #kind: CarrierKind = 'shared'
  #turnBytes = 0
  #sentBytes = 0
  /** Bytes of answers to what the other side said, written since the socket last took everything. */
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

  /** The socket has not taken what was written: whatever is said now comes behind that. */
  get isFull(): boolean {
    if (this.#kind === 'dedicated') return this.#wire.queuedBytes >= limits.dedicatedQueueBytes
    return this.#wire.needsDrain
  }

  /** False while the socket or the path is full or this turn has gathered enough. */
  get canSend(): boolean {
    if (this.#turnBytes >= limits.batchBytes || this.isFull) return false
    // On a carrier of its own an elephant makes nobody wait.
    return this.#kind === 'dedicated' || !this.#backlog.isFull
  }

  /** What this side says of its own accord is its own to bound; what it is made to say, the other side must read. */
  get isFlooded(): boolean {
    return this.#answerBytes > limits.answerQueueBytes
  }

  /** So many bytes were gathered. */
  gathered(bytes: number): void {
    this.#turnBytes += bytes
    this.#sentBytes += bytes
    this.#backlog.sent(bytes)
  }

  /** So many bytes of them answer what the other side said. */
  answered(bytes: number): void {
    this.#answerBytes += bytes
  }

  /** What a turn gathered was written. */
  wrote(): void {
    this.#turnBytes = 0
    if (!this.isFull) this.#answerBytes = 0
  }

  drained(): void {
    this.#answerBytes = 0
  }

  /** A PING now would tell when all that was sent has arrived. */
  isMarkDue(nowMs: number): boolean {
    return this.#kind === 'shared' && this.#backlog.isMarkDue(nowMs)
  }

  /** PING number `ping` was sent behind all the rest. `isAwaited`: somebody waits to send more. */
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

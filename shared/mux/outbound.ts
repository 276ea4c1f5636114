/**
 * The sending half of a stream: what waits, what the other side has granted, what it has used (rules 4 to 7).
 * Offsets: `una` <= `nxt` <= `edge`; FIN takes the offset behind the last byte and none of the window.
 */
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

export class Outbound {
  /** Everything below was used by the other side's local socket. */
  una = 0
  /** The next byte to send. */
  nxt = 0
  /** The first byte that may not be sent yet. */
  edge: number
  waitingBytes = 0
  #waiting: Buffer[] = []
  #isEnding = false
  #finSent = false

  constructor(edge: number) {
    this.edge = edge
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#waiting.push(chunk)
    this.waitingBytes += chunk.length
  }

  /** No byte follows what was pushed. */
  finish(): void {
    this.#isEnding = true
  }

  get isEnding(): boolean {
    return this.#isEnding
  }

  /** There is something that the window lets through. */
  get canPump(): boolean {
    if (this.waitingBytes > 0) return this.nxt < this.edge
    return this.#isEnding && !this.#finSent
  }

  /** FIN and everything before it were used at the other side. */
  get isDone(): boolean {
    return this.#finSent && this.una === this.nxt + 1
  }

  /** Sends up to `bytesMax` bytes (and FIN behind the last one); answers how many went. */
  pump(carrier: Carrier, stream: number, bytesMax: number): number {
    let left = Math.min(bytesMax, this.edge - this.nxt)
    let sent = 0
    while (left > 0 && this.waitingBytes > 0) {
      const chunk = this.#take(Math.min(left, limits.dataBytesMax))
      carrier.sendData(stream, this.nxt, chunk)
      this.nxt += chunk.length
      sent += chunk.length
      left -= chunk.length
    }
    if (this.#isEnding && !this.#finSent && this.waitingBytes === 0) {
      this.#finSent = true
      carrier.sendFin(stream, this.nxt)
    }
    return sent
  }

  /**
   * CREDIT came: merged by maximum, so a late one does no harm. Answers false for what the other side cannot
   * have used.
   */
  acknowledge(consumed: number, window: number): boolean {
    if (consumed > this.nxt + (this.#finSent ? 1 : 0)) return false
    if (consumed > this.una) this.una = consumed
    if (consumed + window > this.edge) this.edge = consumed + window
    return true
  }

  /** Drops what waits. */
  clear(): void {
    this.#waiting = []
    this.waitingBytes = 0
  }

  #take(bytesMax: number): Buffer {
    const first = this.#waiting[0] as Buffer
    if (first.length <= bytesMax) {
      if (this.#waiting.length === 1) this.#waiting = []
      else this.#waiting.shift()
      this.waitingBytes -= first.length
      return first
    }
    this.#waiting[0] = first.subarray(bytesMax)
    this.waitingBytes -= bytesMax
    return first.subarray(0, bytesMax)
  }
}

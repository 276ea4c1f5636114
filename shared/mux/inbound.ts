/**
 * The receiving half of a stream: bytes by offset, from any carrier; how many are granted, and how many are used.
 * `used` <= `next` <= `granted`; none of them ever falls (rules 2, 4, 6).
 */
import { fail } from '../base/errors.ts'
import type { Standing } from '../protocol/frame-writers.ts'
import { limits } from '../protocol/limits.ts'
import { Ahead } from './ahead.ts'
import type { Budget } from './budget.ts'

type Taker = { onData(bytes: Buffer): void }
/** The time now, and the round trip as far as it is known. */
type Measured = { readonly nowMs: number; readonly rttMs: number | undefined }

/** Used until a PING was answered: most paths are shorter. */
const rttMsUnknown = 100
/** Below this the time is the processes' own. */
const rttMsMin = 2

export class Inbound {
  /** All bytes below it have arrived. */
  next = 0
  /** The local socket has taken all bytes below it; FIN counts one when the local side was ended. */
  used = 0
  /** The largest edge ever promised. */
  granted: number
  window: number
  /** The other side's FIN offset, or -1. */
  finAt = -1
  /** The last `used` that the other side was told. */
  credited = 0
  /** Made when first needed: most streams never need it. */
  #ahead: Ahead | undefined
  /** The window is measured from here: what was used by then, and when. */
  #epochUsed = 0
  #epochAtMs: number
  /** Counted in the budget. */
  #heldBytes = 0
  /** Pieces that arrived since all was used: a single byte costs its reader an object. */
  #pieces = 0
  readonly #budget: Budget

  constructor(window: number, budget: Budget, nowMs: number) {
    this.#budget = budget
    this.window = window
    this.granted = window
    this.#epochAtMs = nowMs
  }

  /**
   * Takes a piece, and hands every byte that is now in order to `taker`.
   * @throws window.exceeded, stream.ranges (the stream is reset), frame.malformed (bytes after FIN)
   */
  receive(offset: number, bytes: Buffer, taker: Taker): void {
    const end = offset + bytes.length
    if (end > this.granted) throw fail('window.exceeded')
    if (this.finAt >= 0 && end > this.finAt) throw fail('frame.malformed', 'Bytes came behind FIN.')
    this.#pieces += 1
    if (offset === this.next) {
      this.next = end
      taker.onData(bytes)
      if (this.#ahead) this.#deliverAhead(taker)
      return
    }
    if (end <= this.next) return
    this.#ahead ??= new Ahead()
    if (offset < this.next) this.#ahead.keep(this.next, bytes.subarray(this.next - offset))
    else this.#ahead.keep(offset, bytes)
    this.#deliverAhead(taker)
  }

  /** Takes FIN. @throws frame.malformed when it contradicts what is known */
  receiveFin(offset: number): void {
    if (this.finAt >= 0 ? this.finAt !== offset : offset < this.next || (this.#ahead?.end ?? 0) > offset)
      throw fail('frame.malformed', 'FIN contradicts what was sent before.')
    this.finAt = offset
  }

  /** The local socket took `bytes`; FIN counts one. */
  use(bytes: number): void {
    this.used += bytes
  }

  /** Every byte before FIN has arrived. */
  get isComplete(): boolean {
    return this.finAt >= 0 && this.next === this.finAt
  }

  /** FIN and everything before it are used. */
  get isDone(): boolean {
    return this.finAt >= 0 && this.used === this.finAt + 1
  }

  /** Whether credit is worth a frame of its own now (rule 6). */
  get isCreditDue(): boolean {
    return this.used - this.credited >= Math.min(this.window / 4, limits.creditBytes)
  }

  /** The values for CREDIT now. The window grows first when it holds the sender back. */
  grant({ nowMs, rttMs }: Measured): Pick<Standing, 'consumed' | 'window'> {
    this.#resize(nowMs, Math.max(rttMs ?? rttMsUnknown, rttMsMin))
    this.credited = this.used
    this.granted = Math.max(this.granted, this.used + this.window)
    return { consumed: this.used, window: this.granted - this.used }
  }

  /**
   * Doubles the window when a good part of it was used in so few round trips that the sender must have waited for
   * credit. The measure is that of QUIC implementations: half a window in under 2 RTT, a whole one in under 4. A slow
   * reader never gets there, so it never gets a larger window. When much is held, windows shrink again as their bytes
   * are used; granted bytes stay granted.
   */
  #resize(nowMs: number, rttMs: number): void {
    const share = (this.used - this.#epochUsed) / this.window
    if (share < 0.5) return
    const isHeldBack = nowMs - this.#epochAtMs < 4 * share * rttMs
    const mayGrow = isHeldBack && this.window < limits.windowBytesMax
    if (mayGrow && this.#budget.hasRoom(this.window, limits.growthShare)) this.window *= 2
    else if (this.window > limits.windowBytesTight && this.#budget.fill > limits.tightShare) this.window /= 2
    this.#epochUsed = this.used
    this.#epochAtMs = nowMs
  }

  /** Memory in use for bytes that the local side has not taken. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Tells the budget how much is held now. The budget may reset the largest holder, which may be this stream. */
  settle(): void {
    const waiting = Math.max(0, this.next - this.used)
    if (waiting === 0) this.#pieces = 0
    const held = waiting + this.#pieces * limits.pieceBytes + (this.#ahead?.bytes ?? 0)
    const change = held - this.#heldBytes
    this.#heldBytes = held
    if (change > 0) this.#budget.hold(change)
    else if (change < 0) this.#budget.give(-change)
  }

  /** Returns what the budget counts. */
  release(): void {
    this.#budget.give(this.#heldBytes)
    this.#heldBytes = 0
    this.#ahead = undefined
  }

  #deliverAhead(taker: Taker): void {
    const ahead = this.#ahead
    ahead?.take(this.next, (bytes) => {
      // The taker may have reset the stream when it got the bytes.
      if (this.#ahead !== ahead) return
      this.next += bytes.length
      taker.onData(bytes)
    })
    if (this.#ahead?.isEmpty) this.#ahead = undefined
  }
}

/**
 * The receiving half of a stream: bytes by offset whatever carrier they came on, what is granted, what is used.
 * `used` <= `next` <= `granted`; none of them ever falls (rules 2, 4, 6).
 */
import { fail } from '../base/errors.ts'
import type { Standing } from '../protocol/frame-writers.ts'
import { limits } from '../protocol/limits.ts'
import { Ahead } from './ahead.ts'
import type { Budget } from './budget.ts'

type Taker = { onData(bytes: Buffer): void }
/** Now, and the round trip as far as it is known. */
type Measured = { readonly nowMs: number; readonly rttMs: number | undefined }

/** Until a PING was answered: most paths are shorter. */
const rttMsUnknown = 100
/** Below it the time is the processes' own. */
const rttMsMin = 2

export class Inbound {
  /** All below has arrived. */
  next = 0
  /** All below was taken by the local socket; FIN counts one when the local side was ended. */
  used = 0
  /** The largest edge ever promised. */
  granted: number
  window: number
  /** The other side's FIN offset, or -1. */
  finAt = -1
  /** `used` as last told to the other side. */
  credited = 0
  /** Made when it is first needed: most streams never do. */
  #ahead: Ahead | undefined
  /** The window is measured from here: what was used by then, and when. */
  #epochUsed = 0
  #epochAtMs: number
  /** Counted in the budget. */
  #heldBytes = 0
  /** That arrived since all was used: a byte alone costs its reader an object. */
  #pieces = 0
  readonly #budget: Budget

  constructor(window: number, budget: Budget, nowMs: number) {
    this.#budget = budget
    this.window = window
    this.granted = window
    this.#epochAtMs = nowMs
  }

  /**
   * Takes a piece; hands every byte that is now in order to `taker`.
   * @throws window.exceeded, stream.ranges (the stream is reset), frame.malformed (bytes behind FIN)
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

  /** FIN came. @throws frame.malformed when it contradicts what is known */
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

  /** FIN and all before it are used. */
  get isDone(): boolean {
    return this.finAt >= 0 && this.used === this.finAt + 1
  }

  /** Credit is worth a frame of its own now (rule 6). */
  get isCreditDue(): boolean {
    return this.used - this.credited >= Math.min(this.window / 4, limits.creditBytes)
  }

  /** What CREDIT shall say now; the window grows first when it holds the sender back. */
  grant({ nowMs, rttMs }: Measured): Pick<Standing, 'consumed' | 'window'> {
    this.#resize(nowMs, Math.max(rttMs ?? rttMsUnknown, rttMsMin))
    this.credited = this.used
    this.granted = Math.max(this.granted, this.used + this.window)
    return { consumed: this.used, window: this.granted - this.used }
  }

  /**
   * Doubles the window when a good part of it was used in so few round trips that the sender must have waited for
   * credit. The measure is that of QUIC implementations: half a window in under 2 RTT, a whole one in under 4. A reader
   * that is slow itself never gets there, so it never gets a larger window. When much is held, windows shrink again as
   * their bytes are used: what was granted stays so.
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

  /** Memory that is in use because of what the local side has not taken. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Tells the budget what is held now. The largest holder may be reset by it, and that may be this one. */
  settle(): void {
    const waiting = Math.max(0, this.next - this.used)
    if (waiting === 0) this.#pieces = 0
    const held = waiting + this.#pieces * limits.pieceBytes + (this.#ahead?.bytes ?? 0)
    const change = held - this.#heldBytes
    this.#heldBytes = held
    if (change > 0) this.#budget.hold(change)
    else if (change < 0) this.#budget.give(-change)
  }

  /** Gives back what the budget was told. */
  release(): void {
    this.#budget.give(this.#heldBytes)
    this.#heldBytes = 0
    this.#ahead = undefined
  }

  #deliverAhead(taker: Taker): void {
    const ahead = this.#ahead
    ahead?.take(this.next, (bytes) => {
      // The taker may have reset the stream over what it was given.
      if (this.#ahead !== ahead) return
      this.next += bytes.length
      taker.onData(bytes)
    })
    if (this.#ahead?.isEmpty) this.#ahead = undefined
  }
}

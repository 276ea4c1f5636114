/**
 * How many of a shared carrier's bytes are still on their way, and when that is enough (rule 22). The kernel would take
 * megabytes for a slow path, and later bytes would wait for seconds. PINGs mark places in what was written; the answer
 * to one proves that all before it has arrived.
 */
import { limits } from '../protocol/limits.ts'

/** A mark is worth its cost when this many bytes follow the last answer. */
const markBytes = 128 * 1024
/** Always allowed, before the path is known, and after: less would leave a fast path waiting for answers. */
const floorBytes = { unknown: 256 * 1024, known: 64 * 1024 }
/** Each answer keeps this much of the best rate seen: it falls to a third within ten answers. */
const rateDecay = 0.9

/** This much may be saved up for marks that follow each other at once: four of them. */
const savedMs = 3 * limits.markEveryMs

type Mark = {
  readonly ping: number
  readonly at: number
  readonly atMs: number
  readonly answeredThen: number
  readonly isBusy: boolean
}

export class Backlog {
  #sent = 0
  #answered = 0
  /** Marks without an answer, in order; the path is full before they are many. */
  #marks: Mark[] = []
  #marked = 0
  #markedAtMs = Number.NEGATIVE_INFINITY
  /** Each mark pays for `markEveryMs`. */
  #paidUntilMs = Number.NEGATIVE_INFINITY
  #minRttMs = Number.POSITIVE_INFINITY
  #bytesPerMs = 0

  sent(bytes: number): void {
    this.#sent += bytes
  }

  /** More bytes would only make a queue. */
  get isFull(): boolean {
    return this.#sent - this.#answered >= this.#allowed
  }

  /**
   * Whether a PING now would tell something new. When the path is full, it must be sent at once for all that was
   * written, or the path runs dry until the next one; but in the long run no more than one each `markEveryMs`, or a
   * fast path is asked hundreds of times a second. One is always allowed when none is on its way, because nothing else
   * would make room.
   */
  isMarkDue(nowMs: number): boolean {
    const { isFull } = this
    if (isFull && this.#marks.length === 0) return true
    if (this.#sent - this.#marked < markBytes || nowMs < this.#paidUntilMs - savedMs) return false
    return isFull || nowMs - this.#markedAtMs >= limits.markEveryMs
  }

  /** PING number `ping` was written after all that was sent so far. `isBusy`: more waits to be sent. */
  marked(ping: number, nowMs: number, isBusy: boolean): void {
    this.#marks.push({ ping, at: this.#sent, atMs: nowMs, answeredThen: this.#answered, isBusy })
    this.#marked = this.#sent
    this.#markedAtMs = nowMs
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + limits.markEveryMs
  }

  /** PONG `ping` came: it answers all marks before it, too. */
  answered(ping: number, nowMs: number): void {
    const later = this.#marks.findIndex((mark) => mark.ping > ping)
    const mark = this.#marks.splice(0, later < 0 ? this.#marks.length : later).at(-1)
    if (!mark) return
    this.#answered = mark.at
    const rttMs = Math.max(nowMs - mark.atMs, 1)
    this.sawRoundTrip(rttMs)
    // All bytes on their way at the mark have arrived in one round trip. A small number tells something only if the
    // path, and not the sender, was the limit.
    const rate = (mark.at - mark.answeredThen) / rttMs
    this.#bytesPerMs = Math.max(rate, this.#bytesPerMs * (mark.isBusy ? rateDecay : 1))
  }

  /** A PING and its answer took this long, whatever was on its way beside them. */
  sawRoundTrip(rttMs: number): void {
    this.#minRttMs = Math.min(this.#minRttMs, Math.max(rttMs, 1))
  }

  /** Two round trips at the best rate: one for the bytes on their way, one for the answer on its way back. */
  get #allowed(): number {
    if (this.#bytesPerMs === 0) return floorBytes.unknown
    return Math.max(floorBytes.known, 2 * (this.#minRttMs + limits.markEveryMs) * this.#bytesPerMs)
  }
}

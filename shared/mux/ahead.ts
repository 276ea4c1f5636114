/**
 * Bytes of a stream that arrived before earlier ones, because they took another carrier: separate ranges in order, each
 * a run of pieces. The limit is on ranges, because honest senders have few of them (rule 2): a run on one carrier is
 * one range, however many pieces it has.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { append, mayJoin } from './pieces.ts'

/** `block` is the memory of the last piece, which may have room after it. */
type Range = { from: number; end: number; readonly pieces: Buffer[]; block: Buffer }

export class Ahead {
  #ranges: Range[] = []
  #pieces = 0
  #bytes = 0

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  /** How many bytes are kept here. */
  get bytes(): number {
    return this.#bytes
  }

  /** The offset after the last byte; 0 when there is none. */
  get end(): number {
    return this.#ranges.at(-1)?.end ?? 0
  }

  /** Keeps the part of `bytes` that is not there yet. @throws stream.ranges */
  keep(from: number, bytes: Buffer): void {
    const end = from + bytes.length
    let at = this.#ranges.length
    while (at > 0 && (this.#ranges[at - 1] as Range).end >= from) at -= 1
    const range = this.#ranges[at]
    if (!range || end < range.from) {
      if (this.#ranges.length >= limits.rangesMax) throw fail('stream.ranges')
      const block = this.#own(bytes)
      this.#ranges.splice(at, 0, { from, end, pieces: [block], block })
      return
    }
    if (from < range.from) {
      range.pieces.unshift(this.#own(bytes.subarray(0, range.from - from)))
      range.from = from
    }
    if (end <= range.end) return
    const next = this.#ranges[at + 1]
    const gapEnd = next ? Math.min(end, next.from) : end
    this.#append(range, bytes.subarray(range.end - from, gapEnd - from))
    range.end = gapEnd
    if (!next || gapEnd < next.from) return
    range.pieces.push(...next.pieces)
    range.block = next.block
    range.end = next.end
    this.#ranges.splice(at + 1, 1)
    if (end > range.end) this.keep(range.end, bytes.subarray(range.end - from))
  }

  /** Hands out the bytes that follow `next` without a gap and forgets them. @returns how far they go */
  take(next: number, deliver: (bytes: Buffer) => void): number {
    let reached = next
    for (let first = this.#ranges[0]; first && first.from <= reached; first = this.#ranges[0]) {
      this.#ranges.shift()
      this.#pieces -= first.pieces.length
      let at = first.from
      for (const piece of first.pieces) {
        this.#bytes -= piece.length
        const end = at + piece.length
        if (end > reached) {
          deliver(reached > at ? piece.subarray(reached - at) : piece)
          reached = end
        }
        at = end
      }
    }
    return reached
  }

  clear(): void {
    this.#ranges = []
    this.#pieces = 0
    this.#bytes = 0
  }

  #append(range: Range, bytes: Buffer): void {
    const last = range.pieces.at(-1) as Buffer
    if (mayJoin(last.length, bytes.length)) {
      range.block = append(range.block, last.length, bytes)
      range.pieces[range.pieces.length - 1] = range.block.subarray(0, last.length + bytes.length)
      this.#bytes += bytes.length
    } else {
      range.block = this.#own(bytes)
      range.pieces.push(range.block)
    }
  }

  #own(bytes: Buffer): Buffer {
    if (this.#pieces >= limits.aheadPiecesMax) throw fail('stream.ranges')
    this.#pieces += 1
    this.#bytes += bytes.length
    // The reader uses its memory again after this call.
    return Buffer.from(bytes)
  }
}

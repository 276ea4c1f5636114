/**
 * The beginning of a body. Most are small and live in a string of one byte a letter, which costs a fraction of a buffer
 * of its own; longer ones live in one buffer that grows. A slice of Node's shared pool would hold eight kilobytes for a
 * few bytes, and the ring could not count them.
 */
import { Buffer } from 'node:buffer'

/** Up to here a string is cheaper (bench/inspector.ts). */
const textBytesMax = 4_096
const none = Buffer.alloc(0)

export class KeptBytes {
  #text = ''
  #buffer = none
  #length = 0
  /** Bytes that passed, kept or not. */
  #total = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get bytes(): Buffer {
    if (this.#buffer.length === 0) return Buffer.from(this.#text, 'latin1')
    return this.#buffer.subarray(0, this.#length)
  }

  /** How many bytes are kept. */
  get length(): number {
    return this.#length
  }

  get total(): number {
    return this.#total
  }

  /** Keeps a copy of as much as fits. `room` is asked before memory is taken; false: nothing more is kept. */
  append(bytes: Buffer, room: (more: number) => boolean): void {
    // What follows a gap is not the beginning.
    const isGapless = this.#length === this.#total
    this.#total += bytes.length
    if (!isGapless) return
    const wanted = Math.min(bytes.length, this.#max - this.#length)
    if (wanted === 0) return
    if (this.#length + wanted <= textBytesMax) {
      if (!room(wanted)) return
      this.#text += bytes.toString('latin1', 0, wanted)
      this.#length += wanted
      return
    }
    if (!this.#grow(this.#length + wanted, room)) return
    bytes.copy(this.#buffer, this.#length, 0, wanted)
    this.#length += wanted
  }

  /** Forgets what was kept. */
  drop(): void {
    this.#text = ''
    this.#buffer = none
    this.#length = 0
    // Nothing is kept any more, and no later byte is the first.
    this.#total = Math.max(this.#total, 1)
  }

  #grow(needed: number, room: (more: number) => boolean): boolean {
    const before = this.#buffer.length
    const held = before === 0 ? this.#length : before
    if (needed <= before) return true
    const size = Math.min(this.#max, Math.max(2 * textBytesMax, needed, 2 * before))
    if (!room(size - held)) return false
    // allocUnsafeSlow is not from the pool.
    const grown = Buffer.allocUnsafeSlow(size)
    if (before === 0) grown.write(this.#text, 0, 'latin1')
    else this.#buffer.copy(grown, 0, 0, this.#length)
    this.#text = ''
    this.#buffer = grown
    return true
  }
}

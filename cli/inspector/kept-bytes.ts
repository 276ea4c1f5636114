/**
 * The beginning of a body, in one buffer that grows: a slice of Node's shared pool would hold eight kilobytes for a few
 * bytes, and the ring could not count them.
 */
import { Buffer } from 'node:buffer'

const firstBytes = 1_024
const none = Buffer.alloc(0)

export class KeptBytes {
  #buffer = none
  #length = 0
  /** Bytes that passed, kept or not. */
  #total = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
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
    if (wanted === 0 || !this.#grow(this.#length + wanted, room)) return
    bytes.copy(this.#buffer, this.#length, 0, wanted)
    this.#length += wanted
  }

  /** Forgets what was kept. */
  drop(): void {
    this.#buffer = none
    this.#length = 0
    // Nothing is kept any more, and no later byte is the first.
    this.#total = Math.max(this.#total, 1)
  }

  #grow(needed: number, room: (more: number) => boolean): boolean {
    const before = this.#buffer.length
    if (needed <= before) return true
    const size = Math.min(this.#max, Math.max(firstBytes, needed, 2 * before))
    if (!room(size - before)) return false
    // allocUnsafeSlow is not from the pool.
    const grown = Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
    return true
  }
}

/**
 * Bytes that are kept for as long as a peer pleases: until it acknowledges them, or until the bytes before them arrive.
 * Many small pieces are joined into one block, because a piece of one byte would cost two hundred: it is an object, and
 * so is its buffer.
 */

/** Up to this a copy is cheap, and a slab is not kept from use for the sake of so little. */
export const smallBytes = 4 * 1024
/** Small pieces are joined up to this. A larger block would keep much that is acknowledged for the sake of its end. */
const blockBytesMax = 16 * 1024
const blockBytesMin = 64

/** `more` bytes may go behind a piece of `length` bytes, as part of it. */
export function mayJoin(length: number, more: number): boolean {
  return more <= smallBytes && length + more <= blockBytesMax
}

/**
 * Puts `bytes` behind the first `used` of `block`; returns it, or a larger copy where it has no room. Room is doubled,
 * so each byte is copied twice at the most, and at most half of a block is empty.
 */
export function append(block: Buffer, used: number, bytes: Buffer): Buffer {
  const wanted = used + bytes.length
  let target = block
  if (wanted > block.length) {
    const bytesMax = Math.max(wanted, Math.min(blockBytesMax, Math.max(2 * used, blockBytesMin)))
    // Not of Node's pool, of which it would keep 64 KiB from others.
    target = bytesMax < smallBytes ? Buffer.allocUnsafe(bytesMax) : Buffer.allocUnsafeSlow(bytesMax)
    block.copy(target, 0, 0, used)
  }
  bytes.copy(target, used)
  return target
}

/** A block that begins with `bytes` and has room for many like them: one is full already, so more will come. */
export function roomyBlock(bytes: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(blockBytesMax)
  bytes.copy(block)
  return block
}

/** A piece of so many bytes is as good as full: what is small goes into a block of its own. */
export function isFullBlock(length: number): boolean {
  return length > blockBytesMax / 2
}

/** One run of small bytes that waits for a socket which is full: a write of a byte costs as much as one of many. */
export class SmallBytes {
  #block: Buffer = Buffer.alloc(0)
  #used = 0

  get length(): number {
    return this.#used
  }

  /** The caller has asked `mayJoin`. */
  add(bytes: Buffer): void {
    this.#block = append(this.#block, this.#used, bytes)
    this.#used += bytes.length
  }

  /** All of them, which are the caller's from now on. */
  take(): Buffer {
    const bytes = this.#block.subarray(0, this.#used)
    this.#block = Buffer.alloc(0)
    this.#used = 0
    return bytes
  }
}

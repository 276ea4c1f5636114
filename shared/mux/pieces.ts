/**
 * Bytes that are kept for as long as a peer pleases: until it acknowledges them, or until earlier bytes arrive. Many
 * small pieces are joined into one block, because a piece of one byte would cost two hundred: it is an object, and so
 * is its buffer.
 */

/** Up to this size a copy is cheap, and a slab is not held for so few bytes. */
export const smallBytes = 4 * 1024
/**
 * Small pieces are joined up to this size. A larger block would keep many acknowledged bytes because of its last ones.
 */
const blockBytesMax = 16 * 1024
const blockBytesMin = 64

/** Whether `more` bytes may be appended to a piece of `length` bytes. */
export function mayJoin(length: number, more: number): boolean {
  return more <= smallBytes && length + more <= blockBytesMax
}

/**
 * Puts `bytes` after the first `used` of `block`. @returns the block, or a larger copy if it has no room. Room is
 * doubled, so each byte is copied at most twice, and at most half of a block is empty.
 */
export function append(block: Buffer, used: number, bytes: Buffer): Buffer {
  const wanted = used + bytes.length
  let target = block
  if (wanted > block.length) {
    const bytesMax = Math.max(wanted, Math.min(blockBytesMax, Math.max(2 * used, blockBytesMin)))
    // Not from Node's pool: it would keep 64 KiB of that from others.
    target = bytesMax < smallBytes ? Buffer.allocUnsafe(bytesMax) : Buffer.allocUnsafeSlow(bytesMax)
    block.copy(target, 0, 0, used)
  }
  bytes.copy(target, used)
  return target
}

/** A block that begins with `bytes` and has room for many like them: one block is full already, so more will come. */
export function roomyBlock(bytes: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(blockBytesMax)
  bytes.copy(block)
  return block
}

/** A piece of this length is as good as full: small bytes go into a block of their own. */
export function isFullBlock(length: number): boolean {
  return length > blockBytesMax / 2
}

/** One run of small bytes that waits for a full socket, because a write of a byte costs as much as a write of many. */
export class SmallBytes {
  #block: Buffer = Buffer.alloc(0)
  #used = 0

  get length(): number {
    return this.#used
  }

  /** The caller has called `mayJoin`. */
  add(bytes: Buffer): void {
    this.#block = append(this.#block, this.#used, bytes)
    this.#used += bytes.length
  }

  /** All of them; they belong to the caller from now on. */
  take(): Buffer {
    const bytes = this.#block.subarray(0, this.#used)
    this.#block = Buffer.alloc(0)
    this.#used = 0
    return bytes
  }
}

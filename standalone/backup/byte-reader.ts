/** Reads a stream of bytes in the pieces that a file format asks for, however they arrive. */

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Buffer = Buffer.alloc(0)
  #isEnded = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Exactly so many bytes, or fewer where the source ends. */
  async take(bytes: number): Promise<Buffer> {
    await this.#fill(bytes)
    const taken = this.#held.subarray(0, bytes)
    this.#held = this.#held.subarray(taken.length)
    return taken
  }

  /** The next bytes without taking them; fewer where the source ends. */
  async peek(bytes: number): Promise<Buffer> {
    await this.#fill(bytes)
    return this.#held.subarray(0, bytes)
  }

  /** One line without its end; undefined when there is none within `bytesMax`. */
  async line(bytesMax: number): Promise<string | undefined> {
    const end = (await this.peek(bytesMax)).indexOf(0x0a)
    if (end < 0) return undefined
    const line = await this.take(end)
    await this.take(1)
    return line.toString('latin1')
  }

  /** The next `bytes` as they arrive, fewer where the source ends. */
  async *stream(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      await this.#fill(1)
      const part = await this.take(Math.min(left, this.#held.length))
      if (part.length === 0) return
      left -= part.length
      yield part
    }
  }

  async #fill(bytes: number): Promise<void> {
    if (this.#held.length >= bytes || this.#isEnded) return
    const parts: Uint8Array[] = [this.#held]
    for (let length = this.#held.length; length < bytes; ) {
      const { done, value } = await this.#source.next()
      if (done) {
        this.#isEnded = true
        break
      }
      parts.push(value)
      length += value.length
    }
    this.#held = Buffer.concat(parts)
  }
}

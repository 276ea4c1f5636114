/**
 * Takes the chunks off a body: HTTP/2 has frames instead. The scanner has checked every byte, so this only has to know
 * where it is, however the body was split.
 */
import { Buffer } from 'node:buffer'
import { hexDigit, lineFeed } from '@porttunneler/shared/http/fields'
import { fieldsOf, type RawFields } from './fields.ts'

type Place = 'size' | 'extension' | 'data' | 'dataEnd' | 'trailer'

export class ChunkedBody {
  #place: Place = 'size'
  #size = 0
  #trailer: Buffer[] = []

  /** Calls `onData` for each piece of data. The pieces are slices of `bytes`. */
  take(bytes: Buffer, onData: (data: Buffer) => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#place === 'data') {
        const taken = Math.min(this.#size, bytes.length - at)
        onData(bytes.subarray(at, at + taken))
        at += taken
        this.#size -= taken
        if (this.#size === 0) this.#place = 'dataEnd'
      } else if (this.#place === 'trailer') {
        this.#trailer.push(Buffer.from(bytes.subarray(at)))
        at = bytes.length
      } else at = this.#takeLine(bytes, at)
    }
  }

  /** The trailers, once the whole body was taken. */
  get trailers(): RawFields {
    return fieldsOf(Buffer.concat(this.#trailer), 0)
  }

  #takeLine(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number
    if (this.#place === 'size') {
      const digit = hexDigit(byte)
      if (digit >= 0) this.#size = this.#size * 16 + digit
      else this.#place = 'extension'
    }
    // The LF ends a size with its extensions, or the empty line behind data.
    if (byte === lineFeed)
      this.#place = this.#place === 'dataEnd' ? 'size' : this.#size > 0 ? 'data' : 'trailer'
    return at + 1
  }
}

/** Reads server-sent events as they pass (HTML standard, 9.2.6). Each is reported with its lines, cut if it is long. */
import { Buffer } from 'node:buffer'
import { frameTextMax } from './frame-log.ts'

export type StreamEvent = { readonly bytes: number; readonly text: string; readonly isCut: boolean }

const lineFeed = 0x0a
const carriageReturn = 0x0d

export class EventStreamReader {
  readonly #onEvent: (event: StreamEvent) => void
  #kept: Buffer[] = []
  #keptBytes = 0
  #bytes = 0
  /** Whether the present line has nothing in it yet, and whether its last byte was a CR. */
  #isLineEmpty = true
  #sawReturn = false

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent
  }

  /** `bytes` stay the caller's. */
  read(bytes: Buffer): void {
    let start = 0
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]
      const isSecond = byte === lineFeed && this.#sawReturn
      this.#sawReturn = byte === carriageReturn
      if (isSecond) continue
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#isLineEmpty = false
        continue
      }
      if (this.#isLineEmpty) {
        this.#keep(bytes.subarray(start, at))
        start = at + 1
        this.#end()
      }
      this.#isLineEmpty = true
    }
    this.#keep(bytes.subarray(start))
  }

  #keep(bytes: Buffer): void {
    this.#bytes += bytes.length
    const kept = bytes.subarray(0, frameTextMax - this.#keptBytes)
    if (kept.length === 0) return
    this.#kept.push(Buffer.from(kept))
    this.#keptBytes += kept.length
  }

  #end(): void {
    const text = Buffer.concat(this.#kept).toString('utf8').trim()
    const event = { bytes: this.#bytes, text, isCut: this.#keptBytes < this.#bytes }
    this.#kept = []
    this.#keptBytes = this.#bytes = 0
    if (text !== '') this.#onEvent(event)
  }
}

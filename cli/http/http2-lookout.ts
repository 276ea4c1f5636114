/**
 * Finds out that an upstream which is asked in HTTP/1.1 speaks only HTTP/2, as gRPC servers do: its first bytes are a
 * SETTINGS frame. Without this, visitors would get those bytes, and nobody would know why. It looks at the first bytes
 * of each connection to an http tunnel's upstream; everything else passes.
 */
import type { Buffer } from 'node:buffer'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { SplicedStream } from '@porttunneler/shared/mux/splice'

const frameHeaderBytes = 9
/** Settings have 6 bytes each, and there are a dozen kinds. */
const settingsBytesMax = 6 * 64
const typeSettings = 4

export type LookoutOptions = {
  /** The upstream speaks HTTP/2. The stream gets none of its bytes. */
  onHttp2(): void
  /** It speaks something else. */
  onOther(): void
}

export class Http2Lookout implements SplicedStream {
  readonly #stream: SplicedStream
  #options: LookoutOptions | undefined
  #isHttp2 = false

  constructor(stream: SplicedStream, options: LookoutOptions) {
    this.#stream = stream
    this.#options = options
  }

  write(chunk: Buffer): boolean {
    if (this.#options) this.#look(chunk, this.#options)
    return this.#isHttp2 || this.#stream.write(chunk)
  }

  end(): void {
    this.#stream.end()
  }

  resetBehind(key: ErrorKey): void {
    this.#stream.resetBehind(key)
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes)
  }

  #look(chunk: Buffer, { onHttp2, onOther }: LookoutOptions): void {
    this.#options = undefined
    this.#isHttp2 = isSettings(chunk)
    if (this.#isHttp2) onHttp2()
    else onOther()
  }
}

/** Whether the bytes begin with a SETTINGS frame of a server (RFC 9113 section 6.5); HTTP/1.1 begins with a letter. */
function isSettings(bytes: Buffer): boolean {
  if (bytes[0] !== 0 || bytes.length < frameHeaderBytes) return false
  const length = bytes.readUIntBE(0, 3)
  const isWhole = length <= settingsBytesMax && length % 6 === 0
  return isWhole && bytes[3] === typeSettings && bytes[4] === 0 && bytes.readUInt32BE(5) === 0
}

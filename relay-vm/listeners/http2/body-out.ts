/**
 * The body of an HTTP/2 request on its way to the agent: as it is where its length is known, in chunks otherwise, with
 * its trailers. It is read at the pace of the stream that takes it. While it is not read, nghttp2 takes up to a window
 * of it, and that much counts as held memory.
 */
import { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { trailerBytesMax } from '@porttunneler/shared/http/chunks'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { trailerLines } from './fields.ts'
import type { HeldBodies } from './held-bodies.ts'

export type BodyReader = {
  /** False: the body is too long with these bytes. */
  mayHave(bytes: Buffer): boolean
  /** `bytes` stay the caller's. False: stop until `goOn` is called. */
  write(bytes: Buffer): boolean
  onSent(): void
  /** Nothing more of it may pass. */
  onBodyRefused(key: ErrorKey): void
  /** Something was read from `startMs` on. */
  onRead(startMs: number, bytes: number): void
}

export type BodyMeans = {
  readonly windowBytes: number
  readonly memory: HeldBodies | undefined
  monotonic(): number
}

const crlf = Buffer.from('\r\n')
const lastChunk = Buffer.from('0\r\n')
const none = Buffer.alloc(0)

export class BodyOut {
  readonly #stream: ServerHttp2Stream
  readonly #reader: BodyReader
  readonly #means: BodyMeans
  #isChunked = false
  #isStarted = false
  #isSent = false
  #isHeld = false
  #isFull = false
  #isResting = false
  #trailers: Buffer = none

  constructor(stream: ServerHttp2Stream, reader: BodyReader, means: BodyMeans) {
    this.#stream = stream
    this.#reader = reader
    this.#means = means
    // They may come before anybody reads the body.
    stream.once('trailers', this.#onTrailers)
  }

  /** Nothing of the request is to come any more. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** The visitor could send more, and does not. */
  get isVisitorLate(): boolean {
    return this.#isStarted && !this.#isSent && !this.#isFull
  }

  /** It will not be read for a while. @returns false: there is no memory for it */
  hold(): boolean {
    const { memory, windowBytes } = this.#means
    if (this.#isHeld || this.#isSent) return true
    this.#isHeld = memory?.hold(this, { bytes: windowBytes, drop: this.#drop }) ?? true
    return this.#isHeld
  }

  /** Sends it behind the head. */
  start({ body }: RequestHead, mayGoOn: boolean): void {
    this.#isChunked = body === 'chunked'
    if (body === 0) {
      this.#sent()
      // Nothing comes, but the visitor has not said so yet.
      this.#stream.resume()
      return
    }
    this.#isStarted = true
    this.#stream.on('data', this.#onData).once('end', this.#onEnd)
    this.#isFull = !mayGoOn
    this.#obey()
  }

  /** The stream takes more. */
  goOn(): void {
    this.#isFull = false
    if (this.#isStarted) this.#obey()
  }

  /** The visitor's address has had its part of the loop, or may go on. */
  setResting(isResting: boolean): void {
    this.#isResting = isResting
    if (this.#isStarted && !this.#isSent) this.#obey()
  }

  /** The request is over. */
  close(): void {
    this.#release()
    this.#stream.off('data', this.#onData).off('end', this.#onEnd)
  }

  readonly #onData = (bytes: Buffer): void => {
    const startMs = this.#means.monotonic()
    if (!this.#reader.mayHave(bytes)) this.#reader.onBodyRefused('http.body_limit')
    else if (!this.#reader.write(this.#isChunked ? chunkOf(bytes) : bytes)) {
      this.#isFull = true
      this.#obey()
    }
    this.#reader.onRead(startMs, bytes.length)
  }

  /** Somebody else needs the memory more. */
  readonly #drop = (): void => {
    this.#isHeld = false
    this.#reader.onBodyRefused('relay.memory')
  }

  readonly #onEnd = (): void => {
    if (this.#isChunked) this.#reader.write(Buffer.concat([lastChunk, this.#trailers, crlf]))
    this.#sent()
  }

  readonly #onTrailers = (_fields: IncomingHttpHeaders, _flags: number, raw: string[]): void => {
    const lines = trailerLines(raw)
    if (lines.length < trailerBytesMax) this.#trailers = lines
    else this.#reader.onBodyRefused('http.chunk')
  }

  #sent(): void {
    this.#isSent = true
    this.#release()
    this.#reader.onSent()
  }

  #obey(): void {
    if (this.#isFull || this.#isResting) {
      this.#stream.pause()
      if (!this.hold()) this.#reader.onBodyRefused('relay.memory')
    } else {
      this.#release()
      this.#stream.resume()
    }
  }

  #release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#means.memory?.release(this)
  }
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), bytes, crlf])
}

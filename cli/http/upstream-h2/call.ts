/**
 * One request to the upstream as an HTTP/2 stream, and its answer as HTTP/1.1 bytes. The request's body comes while the
 * answer already goes. Used by bridge.ts.
 *
 * An answer that was cut short must never look complete: only END_STREAM completes it. node:http2 also emits 'end' when
 * the upstream reset the stream or the connection broke, so this looks at when the end was received.
 */
import type { Buffer } from 'node:buffer'
import { type ClientHttp2Stream, constants } from 'node:http2'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { lineFeed } from '@porttunneler/shared/http/fields'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { type Reader, Reading } from '@porttunneler/shared/mux/reading'
import type { Turn } from '@porttunneler/shared/mux/turn'
import {
  answerHead,
  chunkOf,
  fieldOf,
  lastChunk,
  type RawFields,
  requestFields,
  trailersOf,
} from './fields.ts'
import type { Slot } from './sessions.ts'

/** Interim answers to one request; a hundred Early Hints help nobody. */
const interimMax = 32
const errorNamePattern =
  /^NGHTTP2_(?!ERR_|FLAG_|SESSION_|STREAM_STATE_|NV_|HCAT_|DEFAULT_|SETTINGS_(?!TIMEOUT))/

export type CallOptions = {
  readonly slot: Slot
  readonly head: RequestHead
  readonly scheme: 'http' | 'https'
  readonly turn: Turn
  /** The upstream as the user wrote it, for messages. */
  readonly name: string
  /** Bytes of the answer. False: stop until `setFull(false)`. */
  write(bytes: Buffer): boolean
  /** The upstream took so many bytes of the body, or dropped them. */
  onTaken(bytes: number): void
  /** Present if the request opens a WebSocket: the value of Sec-WebSocket-Accept. */
  readonly accept: string | undefined
  /** The final head goes out next. `isUpgraded`: after it the bytes of a WebSocket pass in both directions. */
  onHead(isUpgraded: boolean): void
  /** The answer is complete. */
  onAnswered(): void
  /** It will never be. `isRefused`: the upstream has not looked at the request. */
  onFailed(failure: PortTunnelerError, isRefused: boolean): void
}

type Framing = 'none' | 'length' | 'chunked' | 'untilEnd'

export class Call implements Reader {
  readonly #options: CallOptions
  readonly #h2: ClientHttp2Stream
  readonly #reading: Reading
  readonly #abort = new AbortController()
  readonly #isOld: boolean
  #interims = 0
  #framing: Framing | undefined
  /** Bytes that the answer still has, if it said how many. */
  #left = 0
  #trailers: RawFields = []
  #bodyTrailers: RawFields = []
  #sawEnd = false
  #isOver = false
  #sent = 0

  /** @throws what node:http2 finds wrong with the request */
  constructor(options: CallOptions) {
    this.#options = options
    const { head, slot, scheme, turn } = options
    const isWebSocket = options.accept !== undefined
    // The last digit of HTTP/1.0.
    this.#isOld = head.bytes[head.bytes.indexOf(lineFeed) - 2] === 0x30
    const h2 = slot.session.request(requestFields(head, { scheme, isWebSocket }), {
      endStream: head.body === 0 && !isWebSocket,
      waitForTrailers: head.body === 'chunked',
      // Closing it by its own method would send END_STREAM first, and half an upload would look whole.
      signal: this.#abort.signal,
    })
    this.#h2 = h2
    this.#reading = new Reading(h2, turn)
    const push = h2.push
    h2.push = (chunk, encoding) => {
      if (chunk === null && !h2.closed) this.#sawEnd = true
      return push.call(h2, chunk, encoding)
    }
    const destroy = h2.destroy
    h2.destroy = (error) => {
      this.#hearOut()
      return destroy.call(h2, error)
    }
    h2.on('headers', (_fields, _flags, raw) => this.#onInterim(raw))
    h2.on('response', (_fields, flags, raw) => {
      slot.heard()
      this.#onHead(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) > 0)
    })
    h2.on('trailers', (_fields, _flags, raw) => {
      this.#trailers = raw
    })
    h2.on('data', (bytes: Buffer) => this.#reading.pass(bytes, this))
    h2.on('end', () => this.#onEnd())
    h2.on('wantTrailers', () => this.#sendTrailers())
    // 'close' follows and says why.
    h2.on('error', () => {})
    h2.on('close', () => {
      slot.release(this.#abort.signal.aborted)
      const { destroyed } = slot.session
      this.#fail(destroyed ? 'ended the connection' : `ended the request with ${nameOf(h2.rstCode)}`)
    })
  }

  /** No request follows on the visitor's connection. */
  get isLast(): boolean {
    return this.#options.head.isLast || this.#framing === 'untilEnd'
  }

  /** Whether a part of the body was sent, so that the request cannot be repeated. */
  get hasSent(): boolean {
    return this.#sent > 0
  }

  /** A part of the body; `bytes` are ours from now on. */
  send(bytes: Buffer): void {
    const { onTaken } = this.#options
    this.#sent += bytes.length
    // An upstream may answer without reading the rest.
    if (this.#h2.closed || this.#h2.destroyed || this.#h2.writableEnded) onTaken(bytes.length)
    else this.#h2.write(bytes, () => onTaken(bytes.length))
  }

  /** The body is complete. */
  finish(trailers: RawFields): void {
    this.#bodyTrailers = trailers
    if (!this.#h2.closed && !this.#h2.destroyed) this.#h2.end()
  }

  setFull(isFull: boolean): void {
    this.#reading.setFull(isFull)
  }

  /** Nobody wants the answer any more. */
  cancel(): void {
    this.#isOver = true
    if (!this.#h2.closed) this.#abort.abort()
  }

  /** Bytes of the answer's body. */
  onBytes(bytes: Buffer): void {
    if (this.#isOver || this.#framing === 'none') return
    this.#left -= bytes.length
    if (this.#framing === 'length' && this.#left < 0) this.#fail('sent more than it announced')
    else if (bytes.length > 0) this.#write(this.#framing === 'chunked' ? chunkOf(bytes) : bytes)
  }

  #write(bytes: Buffer): void {
    if (!this.#options.write(bytes)) this.#reading.setFull(true)
  }

  #onInterim(fields: RawFields): void {
    if (this.#isOver) return
    this.#interims += 1
    const head = answerHead(statusOf(fields), fields, [])
    if (this.#interims > interimMax) this.#fail(`sent more than ${interimMax} interim answers`)
    else if (head === undefined) this.#fail('sent a field that HTTP does not allow')
    // RFC 9110 section 15.2: HTTP/1.0 knows none.
    else if (!this.#isOld) this.#write(head)
  }

  #onHead(fields: RawFields, isWhole: boolean): void {
    if (this.#isOver) return
    const status = statusOf(fields)
    if (this.#options.accept !== undefined && status === 200 && !isWhole) {
      this.#upgrade(fields, this.#options.accept)
      return
    }
    // It is an ordinary answer, and nothing more is asked.
    if (this.#options.accept !== undefined) this.#h2.end()
    const more = this.#frame(status, fields, isWhole)
    if (this.isLast) more.push('connection: close')
    else if (this.#isOld) more.push('connection: keep-alive')
    const head = answerHead(status, fields, more)
    if (head === undefined) {
      this.#framing = undefined
      this.#fail('sent a field that HTTP does not allow')
      return
    }
    this.#options.onHead(false)
    this.#write(head)
  }

  #upgrade(fields: RawFields, accept: string): void {
    this.#framing = 'untilEnd'
    const more = ['connection: Upgrade', 'upgrade: websocket', `sec-websocket-accept: ${accept}`]
    const head = answerHead(101, fields, more)
    if (head === undefined) this.#fail('sent a field that HTTP does not allow')
    else {
      this.#options.onHead(true)
      this.#write(head)
    }
  }

  /** How the visitor finds the end of the body (RFC 9112 section 6.3): the field that says it. */
  #frame(status: number, fields: RawFields, isWhole: boolean): string[] {
    const length = lengthOf(fields)
    if (status === 204) {
      this.#framing = 'none'
      return []
    }
    if (this.#options.head.method === 'HEAD' || status === 304) {
      this.#framing = 'none'
      return length === undefined ? [] : [`content-length: ${length}`]
    }
    // A body of a length has no room for trailers.
    if (isWhole || (length !== undefined && fieldOf(fields, 'trailer') === undefined)) {
      this.#framing = 'length'
      this.#left = length ?? 0
      return [`content-length: ${this.#left}`]
    }
    this.#framing = this.#isOld ? 'untilEnd' : 'chunked'
    return this.#isOld ? [] : ['transfer-encoding: chunked']
  }

  #onEnd(): void {
    if (this.#isOver || !this.#sawEnd || this.#framing === undefined) return
    if (this.#framing === 'length' && this.#left > 0) {
      this.#fail('sent less than it announced')
      return
    }
    if (this.#framing === 'chunked') {
      const last = lastChunk(this.#trailers)
      if (last === undefined) {
        this.#fail('sent a trailer that HTTP does not allow')
        return
      }
      this.#options.write(last)
    }
    this.#isOver = true
    this.#options.onAnswered()
  }

  /** What the upstream sent before a reset or the end of its connection still counts; node:http2 would drop it. */
  #hearOut(): void {
    const h2 = this.#h2
    if (this.#isOver || h2.destroyed) return
    while (h2.readableLength > 0 && h2.read() !== null);
    this.#onEnd()
  }

  #sendTrailers(): void {
    try {
      this.#h2.sendTrailers(trailersOf(this.#bodyTrailers))
    } catch {
      this.#fail('does not take these trailers')
    }
  }

  #fail(why: string): void {
    if (this.#isOver) return
    this.#isOver = true
    // Without an id it was never sent.
    const isRefused = this.#h2.id === undefined || this.#h2.rstCode === constants.NGHTTP2_REFUSED_STREAM
    this.#abort.abort()
    this.#options.onFailed(fail('upstream.reset', `${this.#options.name} ${why}`), isRefused)
  }
}

function statusOf(fields: RawFields): number {
  return Number(fieldOf(fields, ':status'))
}

function lengthOf(fields: RawFields): number | undefined {
  const text = fieldOf(fields, 'content-length')
  return text === undefined ? undefined : Number(text)
}

/** The name of an error code, as RFC 9113 section 7 has it. */
function nameOf(code: number | undefined): string {
  const found = Object.entries(constants).find(
    ([name, value]) => value === code && errorNamePattern.test(name),
  )
  return found ? found[0].replace('NGHTTP2_', '') : `code ${code}`
}

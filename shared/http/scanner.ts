/**
 * Frames one visitor's bytes into requests: every head of the connection, and the bytes of every body. Bodies are
 * slices of what was read, heads are copies; a head or line that is split over reads is joined in a copy.
 *
 *   head ──▶ length ──▶ head          data of Content-Length
 *    │ └───▶ size ─▶ data ─▶ dataEnd ─▶ size … trailer ──▶ head
 *    └─────▶ last (after Connection: close): the rest is ignored; a refusal is final
 *
 * The same bytes give the same events however they are split (bodies joined). llhttp frames everything that is accepted
 * here in the same way (scanner.fuzz.ts). RFC 9112.
 */
import { Buffer } from 'node:buffer'
import type { ErrorKey } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { chunkLineBytesMax, isTrailer, readChunkSize, trailerBytesMax } from './chunks.ts'
import { carriageReturn, isTokenByte, lineFeed } from './fields.ts'
import { parseHead, type RequestHead } from './head.ts'

/** Bytes of a request's body as they came, chunk sizes and trailers included. */
export type RequestBody = { readonly kind: 'body'; readonly bytes: Buffer; readonly isLast: boolean }
/** Nothing after this is read; the connection has to end. */
export type RequestRefusal = { readonly kind: 'refused'; readonly key: ErrorKey }
export type ScanEvent = RequestHead | RequestBody | RequestRefusal

type State = 'head' | 'length' | 'size' | 'data' | 'dataEnd' | 'trailer' | 'last'

const empty = Buffer.alloc(0)

export class RequestScanner {
  /** Unread bytes are [#at, #end) of #bytes. */
  #bytes: Buffer = empty
  #at = 0
  #end = 0
  /** #bytes is ours and has room after #end. */
  #isOwn = false
  /** #bytes belongs to the caller of `push`. */
  #isLent = false
  /** How many of the unread bytes have been searched for the end of the head or line. */
  #searched = 0
  #state: State = 'head'
  /** Bytes left of the body or chunk; in a trailer, bytes it may still have. */
  #left = 0
  #closes = false
  #refusal: RequestRefusal | undefined

  /** Unread bytes: parts of a head or line, or bytes that were not asked for yet. */
  get pendingBytes(): number {
    return this.#end - this.#at
  }

  /** A head has begun and is not complete. Only meaningful after `next()` has returned undefined. */
  get isInHead(): boolean {
    return this.#state === 'head' && this.pendingBytes > 0
  }

  /** No request is half read. */
  get isBetween(): boolean {
    return this.#state === 'last' || (this.#state === 'head' && this.pendingBytes === 0)
  }

  /** `chunk` still belongs to the caller and must not change before `own`. */
  push(chunk: Buffer): void {
    const pending = this.pendingBytes
    if (pending === 0) {
      this.#bytes = chunk
      this.#at = 0
      this.#end = chunk.length
      this.#isOwn = false
      this.#isLent = true
      return
    }
    if (!this.#isOwn || this.#bytes.length - this.#end < chunk.length) {
      // Doubling makes a head that arrives byte by byte cost linear time.
      const own = Buffer.allocUnsafeSlow(Math.max(pending + chunk.length, 2 * pending))
      this.#bytes.copy(own, 0, this.#at, this.#end)
      this.#bytes = own
      this.#at = 0
      this.#end = pending
      this.#isOwn = true
      this.#isLent = false
    }
    chunk.copy(this.#bytes, this.#end)
    this.#end += chunk.length
  }

  /** The pushed bytes may change from now on: unread ones are copied, slices that were returned are not. */
  own(): void {
    if (!this.#isLent) return
    this.#isLent = false
    if (this.pendingBytes === 0) this.#bytes = empty
    else this.#bytes = Buffer.from(this.#bytes.subarray(this.#at, this.#end))
    this.#end = this.#bytes.length
    this.#at = 0
  }

  /** The next event, or undefined when more bytes are needed. Bodies are slices; the scanner never writes to them. */
  next(): ScanEvent | undefined {
    if (this.#refusal !== undefined) return this.#refusal
    if (this.#at === this.#end) return undefined
    switch (this.#state) {
      case 'head':
        return this.#nextHead()
      case 'length':
        return this.#nextOfLength()
      case 'last':
        // RFC 9112 section 9.6: no request follows on this connection, so these bytes are not one.
        this.#at = this.#end
        return undefined
      default:
        return this.#nextOfChunks()
    }
  }

  /** The unread bytes, for a connection that is no longer scanned (upgraded, or handed on). */
  take(): Buffer {
    const rest = this.#bytes.subarray(this.#at, this.#end)
    this.#bytes = empty
    this.#at = this.#end = this.#searched = 0
    return rest
  }

  #nextHead(): ScanEvent | undefined {
    if (this.#bytes[this.#at] === carriageReturn && this.#searched === 0 && !this.#skipEmptyLines())
      return this.#refusal
    const end = this.#findHeadEnd()
    if (typeof end === 'string') return this.#refuse(end)
    if (end === undefined) return undefined
    const bytes = this.#bytes.subarray(this.#at, end)
    const head = parseHead(this.#isLent ? Buffer.from(bytes) : bytes)
    if (typeof head === 'string') return this.#refuse(head)
    this.#at = end
    this.#searched = 0
    this.#closes = head.isLast
    if (head.body === 'chunked') this.#state = 'size'
    else if (head.body > 0) {
      this.#state = 'length'
      this.#left = head.body
    } else this.#endRequest()
    return head
  }

  /** False when no head has begun after them yet, or none will. RFC 9112 section 2.2. */
  #skipEmptyLines(): boolean {
    const bytes = this.#bytes
    while (this.#at < this.#end && bytes[this.#at] === carriageReturn) {
      if (this.#at + 1 === this.#end) return false
      if (bytes[this.#at + 1] !== lineFeed) {
        this.#refuse('http.line_end')
        return false
      }
      this.#at += 2
    }
    return this.#at < this.#end
  }

  /** Where the head's empty line ends; undefined until it has come. Relies on `limits.requestHeadBytes`. */
  #findHeadEnd(): number | ErrorKey | undefined {
    const bytes = this.#bytes
    const start = this.#at
    // Refused at once instead of at the deadline: for example a TLS hello at the plain port.
    if (isTokenByte[bytes[start] as number] === 0)
      return bytes[start] === lineFeed ? 'http.line_end' : 'http.request_line'
    const stop = Math.min(this.#end, start + limits.requestHeadBytes)
    for (let at = start + this.#searched; ; at++) {
      at = bytes.indexOf(lineFeed, at)
      if (at < 0 || at >= stop) break
      if (bytes[at - 1] !== carriageReturn) return 'http.line_end'
      if (at - start >= 3 && bytes[at - 2] === lineFeed) return at + 1
    }
    this.#searched = stop - start
    return this.#searched === limits.requestHeadBytes ? 'http.head_too_large' : undefined
  }

  #nextOfLength(): RequestBody {
    const start = this.#at
    this.#at = Math.min(this.#end, start + this.#left)
    this.#left -= this.#at - start
    if (this.#left === 0) this.#endRequest()
    return { kind: 'body', bytes: this.#bytes.subarray(start, this.#at), isLast: this.#left === 0 }
  }

  /** Reads through sizes, data and trailers, and returns everything valid in one slice. */
  #nextOfChunks(): ScanEvent | undefined {
    const start = this.#at
    let goesOn = true
    while (goesOn && this.#at < this.#end)
      goesOn = this.#state === 'data' ? this.#skipData() : this.#readLine()
    if (this.#at === start) return this.#refusal
    const isLast = this.#state === 'head' || this.#state === 'last'
    return { kind: 'body', bytes: this.#bytes.subarray(start, this.#at), isLast }
  }

  #skipData(): boolean {
    const taken = Math.min(this.#left, this.#end - this.#at)
    this.#at += taken
    this.#left -= taken
    if (this.#left === 0) this.#state = 'dataEnd'
    return true
  }

  /** Reads one line that is not data. False when it is incomplete, refused, or the last of the body. */
  #readLine(): boolean {
    const max = this.#state === 'size' ? chunkLineBytesMax : this.#state === 'dataEnd' ? 2 : this.#left
    const start = this.#at
    const lf = this.#bytes.indexOf(lineFeed, start + this.#searched)
    const isHere = lf >= 0 && lf < this.#end
    if (isHere ? lf - start >= max : this.#end - start >= max) return this.#refuseLine()
    if (!isHere) {
      this.#searched = this.#end - start
      return false
    }
    this.#searched = 0
    const isEmpty = lf === start + 1 && this.#bytes[start] === carriageReturn
    if (this.#state === 'size') return this.#takeSize(readChunkSize(this.#bytes, start, lf), lf + 1)
    if (this.#state === 'dataEnd' ? !isEmpty : !isEmpty && !isTrailer(this.#bytes, start, lf))
      return this.#refuseLine()
    this.#at = lf + 1
    if (this.#state === 'dataEnd') this.#state = 'size'
    else if (isEmpty) return this.#endRequest()
    else this.#left -= lf + 1 - start
    return true
  }

  #takeSize(size: number, next: number): boolean {
    if (size < 0) return this.#refuseLine()
    this.#at = next
    this.#state = size === 0 ? 'trailer' : 'data'
    this.#left = size === 0 ? trailerBytesMax : size
    return true
  }

  #refuseLine(): false {
    this.#refuse('http.chunk')
    return false
  }

  #endRequest(): false {
    this.#state = this.#closes ? 'last' : 'head'
    return false
  }

  #refuse(key: ErrorKey): RequestRefusal {
    this.#refusal = { kind: 'refused', key }
    return this.#refusal
  }
}

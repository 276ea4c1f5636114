/**
 * Where the upstream's answers on one connection end. The relay needs that to write something after them (a page,
 * another request's stream, the end), and so does the agent's gate. Answers pass by; none of their bytes are kept.
 *
 *   head ──▶ body ─────────────────────────▶ head      with a length
 *    │ └───▶ size ─▶ data ─▶ dataEnd ─▶ size … trailer ──▶ head
 *    ├─────▶ over       it said `close`: nothing may follow
 *    ├─────▶ untilEnd   it ends with its connection: nobody may write anything after it
 *    └─────▶ lost       nobody can tell where it ends: nothing may follow either
 *
 * When in doubt it is `lost`. Code that counts answers also learns of each final head here, so that nobody frames them
 * by other rules. The result does not depend on how the bytes are split, and where this calls an answer complete,
 * llhttp does too (answer.fuzz.ts).
 */
import type { Buffer } from 'node:buffer'
import { AnswerHead, type AskedKind } from './answer-head.ts'
import { chunkExtensions, chunkLineBytesMax } from './chunks.ts'
import { carriageReturn, hexDigit, isValueByte, lineFeed } from './fields.ts'

/**
 * Requests that wait for their answers. Nobody sends more at once; beyond this we no longer know which answer is whose.
 */
const askedMax = 1_000
/** 16^12 bytes = 281 TB. */
const sizeDigitsMax = 12
const semicolon = 0x3b

type State =
  | 'head'
  | 'body'
  | 'size'
  | 'extension'
  | 'sizeEnd'
  | 'data'
  | 'dataEnd'
  | 'trailer'
  | 'over'
  | 'untilEnd'
  | 'lost'

/** Called when a final head is read, even if its answer is `lost`. `askedMs` is what `asked` got for its request. */
export type HeadListener = (status: number, askedMs: number) => void

type Asked = { readonly kind: AskedKind; readonly ms: number }

export class AnswerWatch {
  readonly #head = new AnswerHead()
  readonly #onHead: HeadListener | undefined
  /** Requests without a final answer, oldest first. */
  readonly #asked: Asked[] = []
  #state: State = 'head'
  /** Bytes left of the body or chunk; in `size` the size so far. */
  #left = 0
  /** Digits of the size, or bytes of the line end after a chunk. */
  #index = 0
  #extensions = ''
  #isLast = false

  constructor(onHead?: HeadListener) {
    this.#onHead = onHead
  }

  /** Records that a request is sent. `ms`: when, for the listener. */
  asked(method: string, ms = 0): void {
    if (this.isEndless) return
    this.#asked.push({ kind: method === 'HEAD' || method === 'CONNECT' ? method : 'plain', ms })
    if (this.#asked.length > askedMax) this.#state = 'lost'
  }

  /** Reads what the upstream sends. */
  heard(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at = this.#step(bytes, at)
  }

  /** All requests are answered completely, or never will be: the connection may be closed. */
  get isComplete(): boolean {
    return this.#state === 'over' || (this.#isBetween && this.#asked.length === 0)
  }

  /** The same, and another answer may follow. */
  get mayFollow(): boolean {
    return this.#isBetween && this.#asked.length === 0
  }

  /** Nothing of the last request's answer has come, and all earlier ones are complete: there is room for a page. */
  get hasRoom(): boolean {
    return this.#isBetween && this.#asked.length === 1
  }

  /** The present answer ends with its connection, or nobody can tell where. */
  get isEndless(): boolean {
    return this.#state === 'untilEnd' || this.#state === 'lost'
  }

  /** Nobody can tell any more where answers end; a reader may take the last one for complete. */
  get isLost(): boolean {
    return this.#state === 'lost'
  }

  /** Requests that still expect the head of their answer: none after an answer said that no other follows. */
  get unansweredTotal(): number {
    return this.isEndless || this.#isLast ? 0 : this.#asked.length
  }

  get #isBetween(): boolean {
    return this.#state === 'head' && !this.#head.isBegun
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'untilEnd':
      case 'lost':
        return bytes.length
      case 'body':
      case 'data':
        return this.#skip(bytes, at)
      case 'head':
      case 'trailer':
        return this.#readHead(bytes, at)
      case 'over':
        this.#state = 'lost'
        return bytes.length
      default:
        return this.#readChunkLine(bytes, at)
    }
  }

  #skip(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#left, bytes.length - at)
    this.#left -= taken
    if (this.#left > 0) return at + taken
    if (this.#state === 'body') this.#end()
    else this.#state = 'dataEnd'
    this.#index = 0
    return at + taken
  }

  #readHead(bytes: Buffer, at: number): number {
    const next = this.#head.read(bytes, at)
    if (this.#head.isBroken) this.#lose()
    else if (this.#head.isWhole) {
      if (this.#state === 'trailer') this.#end()
      else this.#begin()
    }
    return next
  }

  /** The head is broken after its status. */
  #lose(): void {
    const asked = this.#asked[0]
    if (this.#state === 'head' && asked && this.#head.hasStatus && !this.#head.isInterim)
      this.#onHead?.(this.#head.status, asked.ms)
    this.#state = 'lost'
  }

  /** A head is complete. */
  #begin(): void {
    const asked = this.#asked[0]
    const { isInterim } = this.#head
    // No request asked for it, so nobody knows whose answer it is.
    const body = asked === undefined ? 'lost' : this.#head.bodyFor(asked.kind)
    this.#isLast = this.#head.isLast
    if (!isInterim) {
      this.#asked.shift()
      if (asked) this.#onHead?.(this.#head.status, asked.ms)
    }
    if (body === 'untilEnd' || body === 'lost') this.#state = body
    else if (isInterim) this.#head.restart()
    else if (body === 'chunked') {
      this.#state = 'size'
      this.#left = this.#index = 0
    } else if (body > 0) {
      this.#state = 'body'
      this.#left = body
    } else this.#end()
  }

  #end(): void {
    this.#state = this.#isLast ? 'over' : 'head'
    this.#head.restart()
  }

  /** RFC 9112 section 7.1, without the spaces that a sender must not send. */
  #readChunkLine(bytes: Buffer, start: number): number {
    const at = this.#state === 'size' && this.#index === 0 ? skipWholeChunks(bytes, start) : start
    if (at === bytes.length) return at
    const byte = bytes[at] as number
    switch (this.#state) {
      case 'size':
        return this.#readSize(byte, at)
      case 'extension':
        return this.#readExtensions(bytes, at)
      case 'sizeEnd':
        if (this.#left > 0 || byte !== lineFeed) return this.#expect(byte === lineFeed, 'data', at)
        this.#head.restartInTrailer()
        return this.#expect(true, 'trailer', at)
      default: {
        const isFirst = this.#index++ === 0
        const isRight = byte === (isFirst ? carriageReturn : lineFeed)
        if (!isFirst) this.#left = this.#index = 0
        return this.#expect(isRight, isFirst ? 'dataEnd' : 'size', at)
      }
    }
  }

  #readSize(byte: number, at: number): number {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit
      return this.#expect(this.#index++ < sizeDigitsMax, 'size', at)
    }
    if (byte === semicolon) {
      this.#extensions = ';'
      return this.#expect(this.#index > 0, 'extension', at)
    }
    return this.#expect(this.#index > 0 && byte === carriageReturn, 'sizeEnd', at)
  }

  /** Extensions are rare, so they are kept until they are complete. */
  #readExtensions(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && isValueByte[bytes[at] as number] === 1) at++
    if (this.#extensions.length + at - start > chunkLineBytesMax) return this.#expect(false, 'sizeEnd', at)
    this.#extensions += bytes.toString('latin1', start, at)
    if (at === bytes.length) return at
    return this.#expect(bytes[at] === carriageReturn && chunkExtensions.test(this.#extensions), 'sizeEnd', at)
  }

  #expect(isRight: boolean, next: State, at: number): number {
    this.#state = isRight ? next : 'lost'
    return at + 1
  }
}

/** Skips chunks that are here from their size to their end, as most are. @returns where the first other one begins */
function skipWholeChunks(bytes: Buffer, start: number): number {
  for (let chunk = start; ; ) {
    let at = chunk
    let size = 0
    for (let digit = 0; at < bytes.length && at - chunk < sizeDigitsMax; at++) {
      digit = hexDigit(bytes[at] as number)
      if (digit < 0) break
      size = size * 16 + digit
    }
    const next = at + 2 + size + 2
    const isWhole = at > chunk && size > 0 && next <= bytes.length
    if (!isWhole || !isLineEnd(bytes, at) || !isLineEnd(bytes, next - 2)) return chunk
    chunk = next
  }
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === carriageReturn && bytes[at + 1] === lineFeed
}

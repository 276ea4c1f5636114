/**
 * Reads the upstream's answers on one connection completely: each head with its fields, the bytes of each body, its
 * trailers, its end. For those that pass on something else than the bytes that came; who passes those on unread follows
 * them with AnswerWatch (answer.ts), which costs less. Both frame by the same AnswerHead and agree about every answer
 * that is read here.
 *
 *   head ──▶ length ───────────────────────────▶ head
 *    │ └───▶ size ─▶ data ─▶ dataEnd ─▶ size … trailer ──▶ head
 *    ├─────▶ untilEnd   it ends with its connection, or is no HTTP any more (101)
 *    ├─────▶ over       it said `close`: nothing may follow
 *    └─────▶ broken     nobody can tell where it ends, or it breaks the rules
 *
 * Strict: what parsers read in different ways is broken, and so is a transfer coding besides chunked. Bounded: a head
 * has at most `answerHeadBytesMax`, trailers `trailerBytesMax`, a request 1,000 interim answers. The same bytes give
 * the same result however they are split (bodies joined), and llhttp reads the same answers (answer-parser.fuzz.ts).
 */
import { Buffer } from 'node:buffer'
import { AnswerHead, type AskedKind } from './answer-head.ts'
import { chunkLineBytesMax, isTrailer, readChunkSize, trailerBytesMax } from './chunks.ts'
import { carriageReturn, FieldKind, type FieldLine, kindOfName, lineFeed, readField } from './fields.ts'

/** A field line: where it, its name and its value begin and end. */
export type Field = Readonly<FieldLine> & { readonly start: number }

/** Field lines in their order, as offsets into the bytes that came. The bytes are the reader's to keep. */
export type Fields = { readonly bytes: Buffer; readonly fields: readonly Field[] }

export type ReceivedHead = Fields & {
  readonly status: number
  /** Another head for the same request follows (100, 103). */
  readonly isInterim: boolean
  /** Bytes of the body, or what ends it. For HEAD and 304 it is 0, whatever the fields say. */
  readonly body: number | 'chunked' | 'untilEnd'
  /** No answer follows this one on its connection. */
  readonly isLast: boolean
}

/** Where the answers go. Nothing comes after `onBroken`. */
export type AnswerReader = {
  onHead(head: ReceivedHead): void
  /** A part of the body, valid until this returns. */
  onBody(bytes: Buffer): void
  /** The final answer to the oldest request is complete. `trailers`: those of a chunked body, if it has any. */
  onEnd(trailers: Fields | undefined): void
  onBroken(): void
}

/** Progress of an hour, told every four seconds; each is one head. */
const interimMax = 1_000
/** Requests that wait for their answers, as in answer.ts. */
const askedMax = 1_000
/** Long enough for most lines that are cut in two. */
const heldBytesMin = 512
const empty = Buffer.alloc(0)

type State = 'head' | 'length' | 'size' | 'data' | 'dataEnd' | 'trailer' | 'untilEnd' | 'over' | 'broken'

export class AnswerParser {
  readonly #reader: AnswerReader
  readonly #keepsChunks: boolean
  readonly #head = new AnswerHead()
  /** Requests without a final answer, oldest first. */
  readonly #asked: AskedKind[] = []
  #state: State = 'head'
  /** Bytes left of the body or chunk; in a trailer, bytes it may still have. */
  #left = 0
  #interims = 0
  #isLast = false
  /** The part of a head or line that came in earlier pieces: [0, #heldBytes) of #held. */
  #held = empty
  #heldBytes = 0
  #trailers: Buffer[] = []

  /** `keepsChunks`: bodies come as they were sent, chunk sizes and trailers included. */
  constructor(reader: AnswerReader, { keepsChunks = false }: { readonly keepsChunks?: boolean } = {}) {
    this.#reader = reader
    this.#keepsChunks = keepsChunks
  }

  /** Records that a request is sent. */
  asked(method: string): void {
    this.#asked.push(method === 'HEAD' || method === 'CONNECT' ? method : 'plain')
    if (this.#asked.length > askedMax) this.#break()
  }

  /** Reads what the upstream sends. The bytes stay the caller's. */
  heard(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#state !== 'broken'; ) at = this.#step(bytes, at)
  }

  /** The upstream has ended. It completes an answer that ends with it; any other that is not complete is broken. */
  ended(): void {
    if (this.#state === 'untilEnd') {
      this.#isLast = true
      this.#end(undefined)
    } else if (!this.#isBetween && this.#state !== 'over') this.#break()
  }

  /** All requests are answered in full, and another may follow. */
  get mayFollow(): boolean {
    return this.#isBetween && this.#asked.length === 0
  }

  get #isBetween(): boolean {
    return this.#state === 'head' && !this.#head.isBegun
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, at)
      case 'untilEnd':
        this.#reader.onBody(at === 0 ? bytes : bytes.subarray(at))
        return bytes.length
      case 'over':
        return this.#break()
      default:
        return this.#readBody(bytes, at)
    }
  }

  #readHead(bytes: Buffer, start: number): number {
    const next = this.#head.read(bytes, start)
    if (this.#head.isBroken) return this.#break()
    if (this.#head.isWhole) this.#begin(Buffer.from(this.#join(bytes, start, next)))
    else this.#hold(bytes, start, next)
    return next
  }

  /** A head is complete. */
  #begin(bytes: Buffer): void {
    const { status, isInterim, isLast } = this.#head
    const [asked] = this.#asked
    // No request asked for it, so nobody knows whose answer it is.
    const body = asked === undefined ? 'lost' : this.#head.bodyFor(asked)
    const fields = body === 'lost' ? undefined : readFields(bytes, bytes.indexOf(lineFeed) + 1)
    if (fields === undefined || body === 'lost' || (isInterim && ++this.#interims > interimMax)) {
      this.#break()
      return
    }
    this.#isLast = isLast
    this.#head.restart()
    if (!isInterim) {
      this.#asked.shift()
      this.#interims = 0
      this.#expect(body)
    }
    this.#reader.onHead({ bytes, fields, status, isInterim, body, isLast })
    if (!isInterim && body === 0) this.#end(undefined)
  }

  #expect(body: ReceivedHead['body']): void {
    if (body === 'untilEnd') this.#state = 'untilEnd'
    else if (body === 'chunked') this.#state = 'size'
    else if (body > 0) {
      this.#state = 'length'
      this.#left = body
    }
  }

  /** Reads as much of the body as is here. */
  #readBody(bytes: Buffer, start: number): number {
    let at = start
    let isWhole = false
    while (at < bytes.length && !isWhole) {
      if (this.#state === 'length' || this.#state === 'data') {
        at = this.#readData(bytes, at)
        isWhole = this.#state === 'length' && this.#left === 0
      } else {
        at = this.#readLine(bytes, at)
        if (this.#state === 'broken') return at
        isWhole = this.#state === 'head'
      }
    }
    if (this.#keepsChunks) this.#reader.onBody(bytes.subarray(start, at))
    if (isWhole) this.#end(this.#takeTrailers())
    return at
  }

  #readData(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#left)
    this.#left -= end - start
    if (!this.#keepsChunks) this.#reader.onBody(bytes.subarray(start, end))
    if (this.#left === 0 && this.#state === 'data') this.#state = 'dataEnd'
    return end
  }

  /** Reads a line of a chunked body, or the part of it that is here. */
  #readLine(bytes: Buffer, start: number): number {
    const max = this.#state === 'size' ? chunkLineBytesMax : this.#state === 'dataEnd' ? 2 : this.#left
    const stop = Math.min(bytes.length, start + max - this.#heldBytes)
    const lf = bytes.subarray(start, stop).indexOf(lineFeed)
    if (lf < 0) {
      if (stop < bytes.length) return this.#break()
      this.#hold(bytes, start, stop)
      return stop
    }
    const next = start + lf + 1
    const isOneHere = this.#heldBytes === 0
    const line = isOneHere ? bytes : this.#join(bytes, start, next)
    const from = isOneHere ? start : 0
    this.#takeLine(line, from, isOneHere ? next - 1 : line.length - 1)
    return next
  }

  /** A line is here, with its LF at `lf`. */
  #takeLine(bytes: Buffer, start: number, lf: number): void {
    const isEmpty = lf === start + 1 && bytes[start] === carriageReturn
    if (this.#state === 'size') this.#takeSize(readChunkSize(bytes, start, lf))
    else if (isEmpty) this.#state = this.#state === 'dataEnd' ? 'size' : 'head'
    else if (this.#state === 'dataEnd' || !isTrailer(bytes, start, lf)) this.#break()
    else {
      this.#left -= lf + 1 - start
      this.#trailers.push(Buffer.from(bytes.subarray(start, lf + 1)))
    }
  }

  #takeSize(size: number): void {
    if (size < 0) this.#break()
    else {
      this.#state = size === 0 ? 'trailer' : 'data'
      this.#left = size === 0 ? trailerBytesMax : size
    }
  }

  #takeTrailers(): Fields | undefined {
    if (this.#trailers.length === 0) return undefined
    const bytes = Buffer.concat([...this.#trailers, Buffer.from('\r\n')])
    this.#trailers = []
    return { bytes, fields: readFields(bytes, 0) ?? [] }
  }

  #end(trailers: Fields | undefined): void {
    this.#state = this.#isLast ? 'over' : 'head'
    this.#reader.onEnd(trailers)
  }

  #break(): number {
    if (this.#state !== 'broken') {
      this.#state = 'broken'
      this.#held = empty
      this.#trailers = []
      this.#reader.onBroken()
    }
    return Number.POSITIVE_INFINITY
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    const needed = this.#heldBytes + end - start
    if (this.#held.length < needed) {
      // Doubling makes a head that arrives byte by byte cost linear time.
      const grown = Buffer.allocUnsafeSlow(Math.max(heldBytesMin, 2 * needed))
      this.#held.copy(grown, 0, 0, this.#heldBytes)
      this.#held = grown
    }
    bytes.copy(this.#held, this.#heldBytes, start, end)
    this.#heldBytes = needed
  }

  /** What was held and what is here, together. Valid until the next piece. */
  #join(bytes: Buffer, start: number, end: number): Buffer {
    if (this.#heldBytes === 0) return bytes.subarray(start, end)
    this.#hold(bytes, start, end)
    const whole = this.#held.subarray(0, this.#heldBytes)
    // A long head leaves no buffer behind.
    if (this.#held.length > heldBytesMin) this.#held = empty
    this.#heldBytes = 0
    return whole
  }
}

/** The lines from `start` to the empty line, which ends `bytes`. @returns undefined when they are not all allowed */
function readFields(bytes: Buffer, start: number): readonly Field[] | undefined {
  const fields: Field[] = []
  const end = bytes.length - 2
  for (let at = start; at < end; ) {
    const field = { start: at, nameEnd: 0, valueStart: 0, valueEnd: 0, next: 0 }
    if (readField(bytes, at, field) !== undefined || isOtherCoding(bytes, field)) return undefined
    fields.push(field)
    at = field.next
  }
  return fields
}

function isOtherCoding(bytes: Buffer, { start, nameEnd, valueStart, valueEnd }: Field): boolean {
  const isCoding = kindOfName(bytes, start, nameEnd) === FieldKind.transferEncoding
  return isCoding && bytes.toString('latin1', valueStart, valueEnd).toLowerCase() !== 'chunked'
}

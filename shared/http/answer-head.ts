/**
 * Reads the head of an answer as it passes by, in whatever pieces it comes, and keeps only what decides where the
 * answer ends (RFC 9112 section 6.3). It also reads the trailer of a chunked body. Used by answer.ts.
 *
 * A head that parsers might read in different ways counts as broken: nobody can say where such an answer ends.
 */
import type { Buffer } from 'node:buffer'
import { carriageReturn, isTokenByte, isValueByte, lineFeed, space } from './fields.ts'

/** Chromium reads 256 KiB and curl 300; a longer head has no known end. */
export const answerHeadBytesMax = 256 * 1024
/** For the few values that matter. */
const keptValueBytesMax = 256
const colon = 0x3a

/** The beginning of every status line; `d` stands for a digit. */
const statusLine = 'HTTP/1.d ddd'
const placeholder = 0x64
const minorAt = statusLine.indexOf('d')
const statusAt = statusLine.indexOf('ddd')

/** By length; no two have the same. */
const names: Readonly<Record<number, Name>> = {
  10: 'connection',
  14: 'content-length',
  17: 'transfer-encoding',
}
const nameBytesMax = 17

const closePattern = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/
const keepAlivePattern = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/
const lengthPattern = /^\d{1,15}$/
// Codings of which the last is `chunked`, and the earlier ones any others. No spaces after them, because parsers differ
// on those.
const chunkedPattern = /^(?:(?!chunked[ ,])[!#$%&'*+.^_`|~0-9a-z-]+ *, *)*chunked$/
const codingsPattern = /^[!#$%&'*+.^_`|~0-9a-z-]+(?: *, *[!#$%&'*+.^_`|~0-9a-z-]+)*$/

type Name = 'connection' | 'content-length' | 'transfer-encoding'

/** The kind of request method, as far as its answer depends on it. */
export type AskedKind = 'plain' | 'HEAD' | 'CONNECT'
/** Bytes of the body, or what ends it; `lost`: not all parsers read it in the same way. */
export type AnswerBody = number | 'chunked' | 'untilEnd' | 'lost'

type Place =
  | 'status'
  | 'reason'
  | 'text'
  | 'lineEnd'
  | 'line'
  | 'name'
  | 'value'
  | 'headEnd'
  | 'whole'
  | 'broken'

export class AnswerHead {
  #place: Place = 'status'
  #isTrailer = false
  #bytes = 0
  /** How many bytes of the status line, or of the present name, were read. */
  #index = 0
  /** The part of the present name that came in earlier pieces, as long as the name may matter. */
  #part = ''
  #name: Name | undefined
  #value = ''
  #isOld = false
  #status = 0
  #length = -1
  #coding: 'none' | 'chunked' | 'other' = 'none'
  #closes = false
  #keepsAlive = false

  /** A head is partly read. */
  get isBegun(): boolean {
    return this.#bytes > 0
  }

  get isWhole(): boolean {
    return this.#place === 'whole'
  }

  get isBroken(): boolean {
    return this.#place === 'broken'
  }

  /** The status is read, whatever happens to the rest. */
  get hasStatus(): boolean {
    return this.#status >= 100
  }

  get status(): number {
    return this.#status
  }

  /** Another answer to the same request follows (100, 103). */
  get isInterim(): boolean {
    return this.#status < 200 && this.#status !== 101
  }

  /** No answer follows this one on its connection. */
  get isLast(): boolean {
    return this.#closes || (this.#isOld && !this.#keepsAlive)
  }

  /** Expects a new head. */
  restart(): void {
    this.#place = 'status'
    this.#isTrailer = this.#isOld = this.#closes = this.#keepsAlive = false
    this.#bytes = this.#index = this.#status = 0
    this.#part = ''
    this.#length = -1
    this.#coding = 'none'
  }

  /** Expects the lines after the last chunk, and the empty line. */
  restartInTrailer(): void {
    this.#place = 'line'
    this.#isTrailer = true
    this.#bytes = 0
  }

  /** @returns the index after the last byte that belongs to the head */
  read(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && this.#place !== 'whole' && this.#place !== 'broken')
      at = this.#step(bytes, at)
    this.#bytes += at - start
    if (this.#bytes > answerHeadBytesMax) this.#place = 'broken'
    return at
  }

  /** What follows the head. */
  bodyFor(asked: AskedKind): AnswerBody {
    const hasLength = this.#length >= 0
    const hasCoding = this.#coding !== 'none'
    // Two lengths: RFC 9112 section 6.3 prefers one, but not all parsers do.
    if (hasCoding && (hasLength || this.#isOld)) return 'lost'
    if (this.#status === 101 || (asked === 'CONNECT' && this.#status >= 200 && this.#status < 300))
      return 'untilEnd'
    // Some take one that ends the connection for the last answer.
    if (this.isInterim && this.isLast) return 'lost'
    // None of these has a body; some parsers expect one that is announced anyway.
    if (this.isInterim || this.#status === 204) return hasCoding || this.#length > 0 ? 'lost' : 0
    if (asked === 'HEAD' || this.#status === 304) return 0
    if (this.#coding === 'chunked') return 'chunked'
    return hasLength && !hasCoding ? this.#length : 'untilEnd'
  }

  #step(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number
    switch (this.#place) {
      case 'status':
        return this.#readStatus(bytes, at)
      case 'reason':
        // A server without a reason phrase often leaves out the space too.
        if (byte === carriageReturn) return this.#expect(true, 'lineEnd', at)
        return this.#expect(byte === space, 'text', at)
      case 'text':
        return this.#skipText(bytes, at)
      case 'lineEnd':
        return this.#expect(byte === lineFeed, 'line', at)
      case 'line':
        if (byte === carriageReturn) return this.#expect(true, 'headEnd', at)
        this.#index = 0
        this.#place = 'name'
        return at
      case 'name':
        return this.#readName(bytes, at)
      case 'value':
        return this.#readValue(bytes, at)
      default:
        return this.#expect(byte === lineFeed, 'whole', at)
    }
  }

  #expect(isRight: boolean, next: Place, at: number): number {
    this.#place = isRight ? next : 'broken'
    return at + 1
  }

  #readStatus(bytes: Buffer, start: number): number {
    let index = this.#index
    let at = start
    for (; at < bytes.length && index < statusLine.length; at++, index++) {
      const byte = bytes[at] as number
      const digit = byte - 0x30
      const wanted = statusLine.charCodeAt(index)
      const isRight = wanted === placeholder ? digit >= 0 && digit <= 9 : wanted === byte
      if (!isRight || (index === minorAt && digit > 1) || (index === statusAt && digit === 0))
        return this.#expect(false, 'reason', at)
      if (index === minorAt) this.#isOld = digit === 0
      else if (index >= statusAt) this.#status = this.#status * 10 + digit
    }
    this.#index = index
    if (index === statusLine.length) this.#place = 'reason'
    return at
  }

  #readName(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && isTokenByte[bytes[at] as number] === 1) at++
    this.#index += at - start
    if (at === bytes.length) {
      if (this.#index <= nameBytesMax) this.#part += bytes.toString('latin1', start, at)
      return at
    }
    const name = names[this.#index]
    const isIt = name !== undefined && isName(name, { part: this.#part, bytes, end: at })
    this.#name = isIt ? name : undefined
    this.#part = this.#value = ''
    // Some parsers obey these in a trailer too.
    if (this.#isTrailer && isIt) return this.#expect(false, 'value', at)
    // A line that begins with a space continues the one before (obs-fold), which only some parsers know.
    return this.#expect(this.#index > 0 && bytes[at] === colon, isIt ? 'value' : 'text', at)
  }

  #skipText(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && isValueByte[bytes[at] as number] === 1) at++
    if (at === bytes.length) return at
    return this.#expect(bytes[at] === carriageReturn, 'lineEnd', at)
  }

  #readValue(bytes: Buffer, start: number): number {
    const next = this.#skipText(bytes, start)
    const end = this.#place === 'value' ? next : next - 1
    if (this.#value.length + end - start > keptValueBytesMax) this.#place = 'broken'
    else this.#value += bytes.toString('latin1', start, end)
    if (this.#place === 'lineEnd' && !this.#take(this.#value.trimStart().toLowerCase()))
      this.#place = 'broken'
    return next
  }

  /** False when nobody can tell where the answer ends. */
  #take(value: string): boolean {
    switch (this.#name) {
      case 'connection':
        this.#closes ||= closePattern.test(value)
        this.#keepsAlive ||= keepAlivePattern.test(value)
        return true
      case 'content-length': {
        const isFirst = this.#length < 0
        this.#length = Number(value)
        return isFirst && lengthPattern.test(value)
      }
      default: {
        const isFirst = this.#coding === 'none'
        this.#coding = chunkedPattern.test(value) ? 'chunked' : 'other'
        return isFirst && codingsPattern.test(value)
      }
    }
  }
}

/** Whether the name that ends at `end` is this one. `part` came in earlier pieces, and the lengths are equal. */
function isName(name: Name, { part, bytes, end }: { part: string; bytes: Buffer; end: number }): boolean {
  if (part !== '' && !name.startsWith(part.toLowerCase())) return false
  // This bit makes a letter lower case, and is set in the hyphen anyway.
  for (let i = part.length, at = end - name.length + i; at < end; i++, at++)
    if (((bytes[at] as number) | 0x20) !== name.charCodeAt(i)) return false
  return true
}

/**
 * The lines of a chunked body (RFC 9112 section 7.1): chunk sizes and trailers, checked completely before any byte of
 * them is passed on. Used by scanner.ts.
 */
import type { Buffer } from 'node:buffer'
import { carriageReturn, FieldKind, type FieldLine, hexDigit, kindOfName, readField } from './fields.ts'

/** A size and its extensions. AWS-style signatures, the longest in use, need 90. */
export const chunkLineBytesMax = 512
/** All trailers of a body; in practice a checksum and a status. */
export const trailerBytesMax = 16 * 1024
/** 16^12 bytes = 281 TB: more digits are an attempt to overflow somebody's integer. */
const sizeDigitsMax = 12

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"'
/** Without the "bad whitespace" that a sender must not generate. */
export const chunkExtensions = new RegExp(`^(?:;${token}(?:=(?:${token}|${quoted}))?)+$`)

/**
 * Reads the size in a chunk line.
 * @param lf index of the line's LF
 * @returns -1 when it is malformed
 */
export function readChunkSize(bytes: Buffer, start: number, lf: number): number {
  const end = lf - 1
  if (end <= start || bytes[end] !== carriageReturn) return -1
  let size = 0
  let at = start
  for (let digit = hexDigit(bytes[at] as number); digit >= 0; digit = hexDigit(bytes[++at] as number))
    size = size * 16 + digit
  if (at === start || at - start > sizeDigitsMax) return -1
  return at === end || chunkExtensions.test(bytes.toString('latin1', at, end)) ? size : -1
}

/** Whether the line is a field that a trailer may have: nothing that routing, framing or forwarding depends on. */
export function isTrailer(bytes: Buffer, start: number, lf: number): boolean {
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: 0 }
  if (readField(bytes, start, line) !== undefined || line.next !== lf + 1) return false
  return kindOfName(bytes, start, line.nameEnd) === FieldKind.other
}

/**
 * Header field lines, byte by byte: which bytes are allowed where (RFC 9110 section 5), and which names matter to the
 * relay. Names are compared with case and `_` folded, because CGI and WSGI turn `X_Forwarded_For` and `X-Forwarded-For`
 * into the same variable; a name that then looks like ours is treated like ours.
 */
import { Buffer } from 'node:buffer'
import { forgedNames, forgedPrefixes } from './forged.ts'

export const space = 0x20
const tab = 0x09
export const carriageReturn = 0x0d
export const lineFeed = 0x0a
const colon = 0x3a

/** What a field name means to the relay. The kinds up to transferEncoding decide routing and framing. */
export const FieldKind = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  upgrade: 5,
  /** Says who the visitor is: the names in forged.ts. */
  forwarding: 6,
  /** Only used with `Upgrade: h2c`. */
  http2Settings: 7,
} as const
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind]

/** tchar of RFC 9110 section 5.6.2. */
export const isTokenByte = byteTable((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)))
/** VCHAR, obs-text, space and tab: what a field value may hold. */
export const isValueByte = byteTable((byte) => byte === tab || (byte >= space && byte !== 0x7f))
/** Lower case, with `_` as `-`. */
const folded = Uint8Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(String.fromCharCode(byte).toLowerCase().replace('_', '-'), 'latin1').readUInt8(),
)

const names: Readonly<Record<string, FieldKind>> = {
  host: FieldKind.host,
  connection: FieldKind.connection,
  // Not in a standard, but llhttp and others obey it like Connection.
  'proxy-connection': FieldKind.connection,
  'content-length': FieldKind.contentLength,
  'transfer-encoding': FieldKind.transferEncoding,
  upgrade: FieldKind.upgrade,
  'http2-settings': FieldKind.http2Settings,
  ...Object.fromEntries(Object.keys(forgedNames).map((name) => [name, FieldKind.forwarding])),
}
const prefixBytesMin = Math.min(...forgedPrefixes.map((prefix) => prefix.length))
/** Length -> the names of that length, which rules out most fields of a request. */
const namesByLength: readonly (readonly string[])[] = Array.from({ length: 32 }, (_, length) =>
  Object.keys(names).filter((name) => name.length === length),
)

export function kindOfName(bytes: Buffer, start: number, end: number): FieldKind {
  const candidates = namesByLength[end - start]
  if (candidates !== undefined)
    for (const name of candidates) if (startsWithFolded(bytes, start, name)) return names[name] ?? 0
  if (end - start >= prefixBytesMin)
    for (const prefix of forgedPrefixes)
      if (prefix.length <= end - start && startsWithFolded(bytes, start, prefix)) return FieldKind.forwarding
  return FieldKind.other
}

/** A field line, as offsets into the bytes it was read from; one object is reused for every line. */
export type FieldLine = { nameEnd: number; valueStart: number; valueEnd: number; next: number }

/**
 * Reads the field line at `start` into `line`. The bytes must hold its LF.
 * @returns undefined when it is well formed
 */
export function readField(
  bytes: Buffer,
  start: number,
  line: FieldLine,
): 'http.field' | 'http.line_end' | undefined {
  let at = start
  while (isTokenByte[bytes[at] as number] === 1) at++
  // A line that begins with a space is obs-fold; a space before the colon ends the name too early.
  if (at === start || bytes[at] !== colon) return 'http.field'
  line.nameEnd = at++
  while (bytes[at] === space || bytes[at] === tab) at++
  line.valueStart = at
  while (isValueByte[bytes[at] as number] === 1) at++
  const stop = bytes[at]
  if (stop !== carriageReturn) return stop === lineFeed ? 'http.line_end' : 'http.field'
  if (bytes[at + 1] !== lineFeed) return 'http.line_end'
  line.next = at + 2
  while (at > line.valueStart && (bytes[at - 1] === space || bytes[at - 1] === tab)) at--
  line.valueEnd = at
  return undefined
}

/** Whether the bytes from `start` equal `text` (given folded), in any case. The caller has checked the length. */
export function startsWithFolded(bytes: Buffer, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++)
    if (folded[bytes[start + i] as number] !== text.charCodeAt(i)) return false
  return true
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function byteTable(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0))
}

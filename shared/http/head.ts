/**
 * Parses one complete request head, strictly: it refuses with a key whatever RFC 9110 and 9112 forbid a sender to send,
 * and never repairs it, because the upstream might repair it in another way (request smuggling). It changes one thing:
 * a later minor version becomes our own. scanner.ts uses it for
 * each request of a visitor. llhttp frames what it accepts in the same way (scanner.fuzz.ts).
 */
import { Buffer, isUtf8 } from 'node:buffer'
import type { ErrorKey } from '../base/errors.ts'
import { plainName } from '../base/labels.ts'
import {
  carriageReturn,
  FieldKind,
  type FieldLine,
  isTokenByte,
  kindOfName,
  lineFeed,
  readField,
  space,
  startsWithFolded,
} from './fields.ts'

/** A request's head, and what the relay has to know about it. Offsets count from the start of `bytes`. */
export type RequestHead = {
  readonly kind: 'head'
  /** As the visitor sent it, with the final empty line, but for the version. A slice of the bytes that were read. */
  readonly bytes: Buffer
  readonly method: string
  /** The value of Host as sent, and the name in it: lower case, no port, no trailing dot. */
  readonly hostField: string
  readonly host: string
  /** Where the Host line begins and ends; undefined for HTTP/1.0 when its absolute target named the host. */
  readonly hostLine: FieldSpan | undefined
  /** Bytes of the body that follows, or `chunked`. */
  readonly body: number | 'chunked'
  /** The visitor sends no further request (`Connection: close`, HTTP/1.0 without keep-alive). */
  readonly isLast: boolean
  readonly wantsUpgrade: boolean
  /** Field lines that must not reach the upstream: start, end, start, end… */
  readonly drop: readonly number[]
}

export type FieldSpan = { readonly start: number; readonly next: number }

/** Enough for any browser with its cookies; Node itself reads 2,000, Apache 100. */
const fieldsMax = 200
const methodBytesMax = 32
/** Digits that stay a safe integer: 999 TB. */
const lengthDigitsMax = 15
const hostPattern = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?$/i
const absolutePattern = /^(https?):\/\/([^/?]+)(?:[/?]|$)/i
/** A list of tokens, some of which may be empty (RFC 9110 section 5.6.1.2). No tabs, because parsers differ on them. */
const connectionPattern = /^[!#$%&'*+.^_`|~0-9a-z-]*(?: *, *[!#$%&'*+.^_`|~0-9a-z-]*)*$/
/** Codings that the relay does not know, and last the one that it knows. */
const codingsPattern = /^(?:(?!chunked[ ,])[!#$%&'*+.^_`|~0-9a-z-]+ *, *)+chunked$/i
const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 }
const noDrop: readonly number[] = []

/** What the lines seen so far say. */
type Draft = {
  isOld: boolean
  method: string
  /** From an absolute target. */
  scheme: string
  authority: string | undefined
  hostField: string | undefined
  hostLine: FieldSpan | undefined
  length: number
  isChunked: boolean
  /** `chunked` on top of codings that the relay does not know. */
  isCoded: boolean
  closes: boolean
  keepsAlive: boolean
  upgrade: 'none' | 'wanted' | 'h2c'
  drop: number[] | undefined
  /** Lines that are dropped when one of them is `Upgrade: h2c`, or in HTTP/1.0. */
  upgradeLines: number[] | undefined
}

/** @param bytes belong to the head from now on; they end with an empty line, and all lines end with CR LF */
export function parseHead(bytes: Buffer): RequestHead | ErrorKey {
  const draft: Draft = {
    isOld: false,
    method: '',
    scheme: '',
    authority: undefined,
    hostField: undefined,
    hostLine: undefined,
    length: -1,
    isChunked: false,
    isCoded: false,
    closes: false,
    keepsAlive: false,
    upgrade: 'none',
    drop: undefined,
    upgradeLines: undefined,
  }
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: 0 }
  const refusal = parseRequestLine(bytes, draft, line)
  if (refusal !== undefined) return refusal
  const end = bytes.length - 2
  for (let fields = 0; line.next < end; fields++) {
    if (fields === fieldsMax) return 'http.head_too_large'
    const start = line.next
    const malformed = readField(bytes, start, line)
    if (malformed !== undefined) return malformed
    const kind = kindOfName(bytes, start, line.nameEnd)
    if (kind === FieldKind.other) continue
    const refused = takeField(bytes, draft, { kind, start, line })
    if (refused !== undefined) return refused
  }
  return finish(bytes, draft)
}

/** method SP target SP HTTP/1.x CR LF; afterwards `line.next` is where the fields begin. */
function parseRequestLine(bytes: Buffer, draft: Draft, line: FieldLine): ErrorKey | undefined {
  let at = 0
  while (isTokenByte[bytes[at] as number] === 1) at++
  if (at === 0 || at > methodBytesMax || bytes[at] !== space) return 'http.request_line'
  draft.method = bytes.toString('latin1', 0, at)
  const target = ++at
  // Allow any visible ASCII except a fragment: browsers send `|`, `[` and `\` raw (WHATWG URL), and none of them can
  // move the end of the line. Nor can UTF-8, which many programs send raw; invalid UTF-8 is refused.
  let isAscii = true
  for (let byte = bytes[at] as number; byte > space && byte !== 0x7f; byte = bytes[++at] as number)
    if (byte === 0x23) return 'http.request_line'
    else if (byte > 0x7f) isAscii = false
  if (at === target || bytes[at] !== space) return 'http.request_line'
  if (!isAscii && !isUtf8(bytes.subarray(target, at))) return 'http.request_line'
  const version = at + 1
  if (!startsWithFolded(bytes, version, 'http/') || bytes[version] !== 0x48) return 'http.request_line'
  if (bytes[version + 8] !== carriageReturn || bytes[version + 9] !== lineFeed) return 'http.request_line'
  const refusal = parseVersion(bytes, version, draft)
  line.next = version + 10
  return refusal ?? parseTarget(bytes, { start: target, end: at }, draft)
}

/**
 * HTTP/1.2 and later are understood as HTTP/1.1, and sent on as that (RFC 9112 section 2.3, RFC 9110 section 2.5): the
 * upstream's parser may know none of them.
 */
function parseVersion(bytes: Buffer, start: number, draft: Draft): ErrorKey | undefined {
  const version = bytes.toString('latin1', start, start + 8)
  if (version === 'HTTP/1.1') return undefined
  draft.isOld = version === 'HTTP/1.0'
  if (draft.isOld) return undefined
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) return 'http.request_line'
  if (version[5] !== '1') return 'http.version'
  bytes.write('1', start + 7)
  return undefined
}

function parseTarget(
  bytes: Buffer,
  { start, end }: { start: number; end: number },
  draft: Draft,
): ErrorKey | undefined {
  if (draft.method === 'CONNECT') return 'http.method'
  if (bytes[start] === 0x2f) return undefined
  const target = bytes.toString('latin1', start, end)
  if (target === '*') return draft.method === 'OPTIONS' ? undefined : 'http.request_line'
  const [, scheme = '', authority] = absolutePattern.exec(target) ?? []
  draft.scheme = scheme.toLowerCase()
  draft.authority = authority
  return authority === undefined ? 'http.request_line' : undefined
}

type Field = { readonly kind: FieldKind; readonly start: number; readonly line: FieldLine }

function takeField(bytes: Buffer, draft: Draft, { kind, start, line }: Field): ErrorKey | undefined {
  const { valueStart, valueEnd } = line
  // After the value of these, some parsers read a tab as part of it, and after those that frame, also a space. A sender
  // has no reason to put one there.
  if (kind <= FieldKind.transferEncoding && !endsWell(bytes, kind, line)) return 'http.field'
  switch (kind) {
    case FieldKind.host:
      if (draft.hostField !== undefined) return 'http.host'
      draft.hostField = bytes.toString('latin1', valueStart, valueEnd)
      draft.hostLine = { start, next: line.next }
      return undefined
    case FieldKind.connection:
      return takeConnection(bytes.toString('latin1', valueStart, valueEnd).toLowerCase(), draft)
    case FieldKind.contentLength:
      return takeLength(bytes, draft, { kind, start, line })
    case FieldKind.transferEncoding:
      return takeCodings(bytes, draft, { kind, start, line })
    case FieldKind.upgrade:
      return takeUpgrade(bytes.toString('latin1', valueStart, valueEnd).toLowerCase(), draft, {
        kind,
        start,
        line,
      })
    case FieldKind.http2Settings:
      draft.upgradeLines = [...(draft.upgradeLines ?? []), start, line.next]
      return undefined
    default:
      draft.drop ??= []
      draft.drop.push(start, line.next)
      return undefined
  }
}

function endsWell(bytes: Buffer, kind: FieldKind, { valueEnd, next }: FieldLine): boolean {
  const end = next - 2
  if (valueEnd === end) return true
  return kind <= FieldKind.connection && bytes.subarray(valueEnd, end).every((byte) => byte === space)
}

function takeCodings(bytes: Buffer, draft: Draft, { start, line }: Field): ErrorKey | undefined {
  const { valueStart, valueEnd } = line
  if (draft.isChunked || bytes[start + 8] === 0x5f) return 'http.framing'
  draft.isChunked = true
  if (valueEnd - valueStart === 7 && startsWithFolded(bytes, valueStart, 'chunked')) return undefined
  draft.isCoded = codingsPattern.test(bytes.toString('latin1', valueStart, valueEnd))
  return draft.isCoded ? undefined : 'http.framing'
}

/** An option that names a protected field would make an upstream's proxy remove it after we set or checked it. */
function takeConnection(options: string, draft: Draft): ErrorKey | undefined {
  if (!connectionPattern.test(options)) return 'http.field'
  for (const option of options.split(/ *, */)) {
    if (option === '') continue
    if (option === 'close') draft.closes = true
    else if (option === 'keep-alive') draft.keepsAlive = true
    else if (isProtected(option)) return 'http.connection_option'
  }
  return undefined
}

function isProtected(name: string): boolean {
  const bytes = Buffer.from(name, 'latin1')
  const kind = kindOfName(bytes, 0, bytes.length)
  return kind !== FieldKind.other && kind !== FieldKind.upgrade && kind !== FieldKind.http2Settings
}

function takeLength(bytes: Buffer, draft: Draft, { start, line }: Field): ErrorKey | undefined {
  const { valueStart, valueEnd } = line
  const digits = valueEnd - valueStart
  if (draft.length >= 0 || bytes[start + 7] === 0x5f || digits === 0 || digits > lengthDigitsMax)
    return 'http.framing'
  let length = 0
  for (let at = valueStart; at < valueEnd; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) return 'http.framing'
    length = length * 10 + digit
  }
  draft.length = length
  return undefined
}

/**
 * Removes `Upgrade: h2c` (RFC 9113 made it obsolete, RFC 9110 lets anybody ignore it): over raw HTTP/2 a visitor could
 * set any X-Forwarded-For, past our rewriting.
 */
function takeUpgrade(protocols: string, draft: Draft, { start, line }: Field): ErrorKey | undefined {
  const isH2c = draft.upgrade === 'h2c' || protocols.split(',').some((protocol) => protocol.trim() === 'h2c')
  draft.upgrade = isH2c ? 'h2c' : 'wanted'
  draft.upgradeLines = [...(draft.upgradeLines ?? []), start, line.next]
  return undefined
}

function finish(bytes: Buffer, draft: Draft): RequestHead | ErrorKey {
  const { authority, upgrade, isOld } = draft
  const hostField = draft.hostField ?? (isOld ? authority : undefined)
  if (hostField === undefined || !isHostField(hostField)) return 'http.host'
  const host = hostName(hostField)
  if (authority !== undefined && !isSameAuthority(authority, hostField, draft.scheme)) return 'http.host'
  if (draft.isChunked && (draft.length >= 0 || isOld)) return 'http.framing'
  if (draft.isCoded) return 'http.coding'
  // In HTTP/1.0 it must be ignored (RFC 9110 section 7.8), but not every upstream does.
  const isRefused = upgrade === 'h2c' || (upgrade === 'wanted' && isOld)
  const dropped = isRefused ? [...(draft.drop ?? []), ...(draft.upgradeLines ?? [])] : draft.drop
  return {
    kind: 'head',
    bytes,
    method: draft.method,
    hostField,
    host,
    hostLine: draft.hostLine,
    body: draft.isChunked ? 'chunked' : Math.max(0, draft.length),
    isLast: draft.closes || (isOld && !draft.keepsAlive),
    wantsUpgrade: upgrade === 'wanted' && !isOld,
    drop: isRefused && dropped ? sortPairs(dropped) : (dropped ?? noDrop),
  }
}

/** Whether two spellings of an authority mean the same (RFC 9110 section 4.2.3). */
function isSameAuthority(authority: string, hostField: string, scheme: string): boolean {
  if (authority === hostField) return true
  if (!isHostField(authority) || hostName(authority) !== hostName(hostField)) return false
  return portOf(authority, scheme) === portOf(hostField, scheme)
}

function portOf(field: string, scheme: string): number | undefined {
  const digits = /:([0-9]+)$/.exec(field)?.[1]
  return digits === undefined ? defaultPorts[scheme] : Number(digits)
}

/** Whether the text can be the value of Host, or of a field that stands for it. */
export function isHostField(text: string): boolean {
  return hostPattern.test(text)
}

/** The host name in a value of Host. */
export function hostName(field: string): string {
  return plainName(field.replace(/:[0-9]*$/, ''))
}

function sortPairs(pairs: readonly number[]): readonly number[] {
  // Lines do not overlap, so sorted starts and ends are the pairs in rising order.
  return pairs.toSorted((a, b) => a - b)
}

/**
 * Heads between HTTP/1.1 and HTTP/2 (RFC 9113 section 8), in both directions. Fields that are about one connection stay
 * behind; everything else passes in its order, byte for byte apart from the case of names.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import {
  type FieldLine,
  isTokenByte,
  isValueByte,
  lineFeed,
  readField,
} from '@porttunneler/shared/http/fields'
import type { RequestHead } from '@porttunneler/shared/http/head'

/** Name, value, name, value… as node:http2 takes and gives them. */
export type RawFields = readonly string[]

/** Only about the connection on which they came; `host` becomes `:authority`, and `te` is looked at by itself. */
const ofConnection = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'host',
  'te',
])
const absolutePattern = /^https?:\/\/[^/?]+/i
const trailersPattern = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i

/** What only HTTP/1.1 needs to open a WebSocket. */
const keyField = 'sec-websocket-key'
/** RFC 6455 section 1.3. */
const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * The fields of a request that the scanner has accepted, the pseudo fields first.
 * @param isWebSocket it opens a WebSocket (RFC 8441)
 */
export function requestFields(
  head: RequestHead,
  { scheme, isWebSocket }: { scheme: 'http' | 'https'; isWebSocket: boolean },
): RawFields {
  const fields = requestLines(head)
  const raw = [':method', isWebSocket ? 'CONNECT' : head.method]
  if (isWebSocket) raw.push(':protocol', 'websocket')
  raw.push(':scheme', scheme, ':authority', head.hostField, ':path', pathOf(head))
  const named = namedByConnection(fields)
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    if (ofConnection.has(name) || named?.has(name) || (isWebSocket && name === keyField)) continue
    raw.push(name, fields[at + 1] as string)
  }
  if (takesTrailers(fields)) raw.push('te', 'trailers')
  return raw
}

/** The value of Sec-WebSocket-Accept for a request that opens a WebSocket; undefined if it does not. */
export function webSocketAccept(head: RequestHead): string | undefined {
  const fields = requestLines(head)
  const key = fieldOf(fields, keyField)
  if (!head.wantsUpgrade || head.method !== 'GET' || head.body !== 0 || key === undefined) return undefined
  if (fieldOf(fields, 'upgrade')?.toLowerCase() !== 'websocket') return undefined
  return createHash('sha1').update(`${key}${acceptSuffix}`).digest('base64')
}

function requestLines({ bytes }: RequestHead): string[] {
  return fieldsOf(bytes, bytes.indexOf(lineFeed) + 1)
}

/** Whether the visitor says that it reads trailers. gRPC insists on it. */
function takesTrailers(fields: RawFields): boolean {
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at] === 'te' && trailersPattern.test(fields[at + 1] as string)) return true
  return false
}

/** Names in Connection go no further than this connection. */
function namedByConnection(fields: RawFields): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] !== 'connection' && fields[at] !== 'proxy-connection') continue
    named ??= new Set()
    for (const option of (fields[at + 1] as string).toLowerCase().split(/ *, */)) named.add(option)
  }
  return named
}

/** The target without an origin; the Host says the same (the scanner compares them). */
function pathOf({ bytes, method }: RequestHead): string {
  const start = method.length + 1
  const target = bytes.toString('latin1', start, bytes.indexOf(0x20, start))
  const origin = absolutePattern.exec(target)?.[0]
  if (origin === undefined) return target
  const path = target.slice(origin.length)
  if (path.startsWith('/')) return path
  return path === '' && method === 'OPTIONS' ? '*' : `/${path}`
}

/** The field lines from `start` to the empty line, which the scanner has accepted; names in lower case. */
export function fieldsOf(bytes: Buffer, start: number): string[] {
  const line: FieldLine = { nameEnd: 0, valueStart: 0, valueEnd: 0, next: start }
  const fields: string[] = []
  const end = bytes.length - 2
  while (line.next < end) {
    const at = line.next
    if (readField(bytes, at, line) !== undefined) throw new Error('a field that was accepted is malformed')
    fields.push(
      bytes.toString('latin1', at, line.nameEnd).toLowerCase(),
      bytes.toString('latin1', line.valueStart, line.valueEnd),
    )
  }
  return fields
}

/**
 * The head of an answer for the visitor: the status line, `fields` without what is about the HTTP/2 connection or
 * frames the body, then the lines of `more`.
 * @returns undefined if a field could end its line, so that it would be read as something else
 */
export function answerHead(status: number, fields: RawFields, more: readonly string[]): Buffer | undefined {
  const lines = linesOf(fields)
  if (lines === undefined) return undefined
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  return Buffer.from(`${first}${lines}${more.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1')
}

/** The end of a chunked body, with its trailers; undefined as above. */
export function lastChunk(trailers: RawFields): Buffer | undefined {
  const lines = linesOf(trailers)
  return lines === undefined ? undefined : Buffer.from(`0\r\n${lines}\r\n`, 'latin1')
}

function linesOf(fields: RawFields): string | undefined {
  let text = ''
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    const value = fields[at + 1] as string
    if (name.startsWith(':') || name === 'content-length' || ofConnection.has(name)) continue
    if (!isClean(name, value)) return undefined
    text += `${name}: ${value}\r\n`
  }
  return text
}

/** Trailers of a request as node:http2 takes them. */
export function trailersOf(fields: RawFields): Record<string, string[]> {
  const trailers: Record<string, string[]> = {}
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    if (ofConnection.has(name)) continue
    // A name like `__proto__` is a field too.
    const values = Object.hasOwn(trailers, name) ? trailers[name] : undefined
    if (values) values.push(fields[at + 1] as string)
    else Object.defineProperty(trailers, name, { value: [fields[at + 1]], enumerable: true })
  }
  return trailers
}

/** One chunk, ready to be written. */
export function chunkOf(bytes: Buffer): Buffer {
  const size = `${bytes.length.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(size.length + bytes.length + 2)
  chunk.write(size, 'latin1')
  bytes.copy(chunk, size.length)
  chunk.write('\r\n', size.length + bytes.length, 'latin1')
  return chunk
}

export function fieldOf(fields: RawFields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1]
  return undefined
}

function isClean(name: string, value: string): boolean {
  if (name === '') return false
  for (let at = 0; at < name.length; at++) if (isTokenByte[name.charCodeAt(at)] !== 1) return false
  for (let at = 0; at < value.length; at++) if (isValueByte[value.charCodeAt(at)] !== 1) return false
  return true
}

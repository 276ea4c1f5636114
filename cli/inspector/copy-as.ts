/**
 * A recorded request as a command of a shell, or as JavaScript. What came from strangers goes into quotes that nothing
 * in it can end: in a shell '…' (POSIX 2.2.2), bytes that are no text through printf with octal digits, and in
 * JavaScript a JSON string.
 */
import { type Buffer, isUtf8 } from 'node:buffer'
import type { Entry } from './entry.ts'

/** curl makes these itself. */
const madeByCurl = new Set(['host', 'content-length', 'connection', 'transfer-encoding', 'expect'])
/** A browser refuses to set these; Node's fetch makes them itself. */
const madeByFetch = new Set([...madeByCurl, 'accept-encoding', 'keep-alive', 'upgrade', 'te', 'trailer'])
const methodWithBody = /^(?:POST|PUT|PATCH|DELETE|QUERY)$/

/** @returns for `sh` and every shell like it. curl sends a header without a value if `;` ends it. */
export function asCurl(entry: Entry): string {
  const body = entry.request.body.bytes
  const isText = isPlainText(body)
  const parts = [
    `curl ${shellQuote(urlOf(entry))}`,
    ...(entry.method === 'GET' && body.length === 0 ? [] : [`--request ${shellQuote(entry.method)}`]),
    ...headersOf(entry, madeByCurl).map((line) => `--header ${shellQuote(line.replace(/: $/, ';'))}`),
    ...(body.length === 0 ? [] : [`--data-binary ${isText ? shellQuote(body.toString('utf8')) : '@-'}`]),
    '--globoff',
  ]
  const command = parts.join(' \\\n  ')
  return body.length === 0 || isText ? command : `printf ${shellQuote(octalOf(body))} |\n  ${command}`
}

export function asFetch(entry: Entry): string {
  const body = entry.request.body.bytes
  const headers = headersOf(entry, madeByFetch).map((line) => {
    const at = line.indexOf(': ')
    return `    [${scriptText(line.slice(0, at))}, ${scriptText(line.slice(at + 2))}],`
  })
  const data = isPlainText(body)
    ? scriptText(body.toString('utf8'))
    : `Uint8Array.from(atob('${body.toString('base64')}'), (byte) => byte.charCodeAt(0))`
  const hasBody = body.length > 0 && methodWithBody.test(entry.method)
  return [
    `await fetch(${scriptText(urlOf(entry))}, {`,
    `  method: ${scriptText(entry.method)},`,
    '  headers: [',
    ...headers,
    '  ],',
    ...(hasBody ? [`  body: ${data},`] : []),
    '})',
  ].join('\n')
}

/** The address that the visitor asked for. */
export function urlOf({ origin, request, host, target }: Entry): string {
  const isHttps = origin.endToEnd || request.header('x-forwarded-proto') === 'https'
  const authority = request.header('host') ?? host
  return `${isHttps ? 'https' : 'http'}://${authority}${target.startsWith('/') ? target : '/'}`
}

/** One word of a shell, whatever is in it. */
export function shellQuote(text: string): string {
  // No argument of a program can hold a NUL.
  return `'${text.replaceAll('\0', '').replaceAll("'", "'\\''")}'`
}

/** `<` would end a script element if somebody pastes it into a page. */
function scriptText(text: string): string {
  return JSON.stringify(text)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}

function headersOf({ request }: Entry, left: ReadonlySet<string>): readonly string[] {
  return request.headers.flatMap(([name, value]) => {
    const folded = name.toLowerCase()
    return left.has(folded) || folded.startsWith('x-forwarded-') ? [] : [`${name}: ${value}`]
  })
}

/** With @ in front curl would read a file of that name. */
function isPlainText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0) && bytes[0] !== 0x40
}

function octalOf(bytes: Buffer): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

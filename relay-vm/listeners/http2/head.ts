/**
 * Writes the head of an HTTP/2 request as HTTP/1.1, so that the same parser and the same rules apply to it as to any
 * other (head.ts, rewrite.ts) and so that it can travel to the agent. RFC 9113 sections 8.2 and 8.3.
 */
import { Buffer } from 'node:buffer'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'

/** Methods whose upstreams want a length even when there is no body (RFC 9110 section 8.6). */
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
/** nghttp2 lets none of them pass; one would make two lines of one. */
const lineBreak = /[\r\n\0]/

/**
 * @param raw names and values in turn, as they came
 * @param isBodiless no body follows
 * @returns the head; its parser decides whether it is a good one
 */
export function writeHead(raw: readonly string[], isBodiless: boolean): Buffer | ErrorKey {
  const parts = { method: '', path: '', authority: '', host: '', cookies: '', hasLength: false, lines: '' }
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? ''
    const value = raw[at + 1] ?? ''
    if (lineBreak.test(value)) return 'http.field'
    if (name === ':method') parts.method = value
    else if (name === ':path') parts.path = value
    else if (name === ':authority') parts.authority = value
    else if (name === ':scheme') {
      if (value !== 'https' && value !== 'http') return 'http.request_line'
    } else if (name.startsWith(':')) return 'http.method'
    else if (name === 'host') {
      if (parts.host !== '') return 'http.host'
      parts.host = value
    } else if (name === 'cookie') parts.cookies += parts.cookies === '' ? value : `; ${value}`
    else {
      parts.hasLength ||= name === 'content-length'
      parts.lines += `${name}: ${value}\r\n`
    }
  }
  const { authority, host, method, path, cookies, hasLength, lines } = parts
  if (authority !== '' && host !== '' && authority.toLowerCase() !== host.toLowerCase()) return 'http.host'
  const cookie = cookies === '' ? '' : `cookie: ${cookies}\r\n`
  const top = `${method} ${path} HTTP/1.1\r\nHost: ${authority || host}\r\n`
  const text = `${top}${lines}${cookie}${framing(method, isBodiless, hasLength)}\r\n`
  return text.length > limits.requestHeadBytes ? 'http.head_too_large' : Buffer.from(text, 'latin1')
}

function framing(method: string, isBodiless: boolean, hasLength: boolean): string {
  if (hasLength) return ''
  if (!isBodiless) return 'transfer-encoding: chunked\r\n'
  return withBody.has(method) ? 'content-length: 0\r\n' : ''
}

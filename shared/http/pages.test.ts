import { describe, expect, test } from 'vitest'
import { problemSchema } from '../api/schemas/common.ts'
import { codes, type ErrorKey } from '../base/errors.ts'
import { renderPage } from './pages.ts'

const browser = 'text/html,application/xhtml+xml,*/*;q=0.8'

describe('visitor pages', () => {
  test('a browser gets a page that says code, cause and cure, and loads nothing', () => {
    const { head, body } = answer('tunnel.away', { accept: browser })
    expect(head).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
    expect(head).toContain('\r\nContent-Type: text/html; charset=utf-8\r\n')
    expect(head).toContain('\r\nRetry-After: 10\r\n')
    for (const text of [codes['tunnel.away'].code, codes['tunnel.away'].title, codes['tunnel.away'].cause])
      expect(body).toContain(text)
    expect(body).not.toMatch(/(?:src|href)=|url\(|<script|@import/)
    expect(body).toContain('report abuse')
  })

  test.each(['application/json', 'application/problem+json, text/html;q=0.1', '*/*', undefined])(
    'a program that accepts %s gets a problem document',
    (accept) => {
      const { head, body } = answer('http.unknown_host', { accept })
      expect(head).toContain('\r\nContent-Type: application/problem+json\r\n')
      expect(problemSchema.parse(JSON.parse(body))).toMatchObject({ status: 404, code: 'PT-4014' })
    },
  )

  test('every visitor code makes a complete last answer that must not be cached', () => {
    const keys = (Object.keys(codes) as ErrorKey[]).filter((key) => codes[key].code.startsWith('PT-4'))
    for (const key of keys)
      for (const accept of [browser, undefined]) {
        const { head, body } = answer(key, { accept })
        expect(head).toContain(`HTTP/1.1 ${codes[key].http} `)
        expect(head).toContain(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`)
        expect(head).toContain('\r\nConnection: close\r\n')
        expect(head).toContain('\r\nCache-Control: no-store\r\n')
      }
  })

  test('HEAD gets the length of the page but not the page', () => {
    const { head, body } = answer('http.unknown_host', { accept: browser, method: 'HEAD' })
    expect(head).toMatch(/\r\nContent-Length: [1-9]\d+\r\n/)
    expect(body).toBe('')
  })

  test('what the visitor sent is escaped, and so is the abuse address', () => {
    const { body } = answer('http.unknown_host', {
      accept: browser,
      host: '"><script>',
      abuseUrl: 'https://a/?"<',
    })
    expect(body).toContain('&quot;&gt;&lt;script&gt;')
    expect(body).toContain('href="https://a/?&quot;&lt;&amp;host=%22%3E%3Cscript%3E"')
    expect(body).not.toContain('<script')
  })

  test('an unreadable request gets an answer too', () => {
    const [head = '', body = ''] = page(Buffer.from('\x16\x03\x01')).split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(JSON.parse(body)).toMatchObject({ code: 'PT-4001' })
    expect(page(Buffer.from(`GET / HTTP/1.1\r\nAccept: ${browser}\r\nCookie: …`))).toContain(
      '<!doctype html>',
    )
  })
})

type Asked = { accept: string | undefined; method?: string; host?: string; abuseUrl?: string }

function answer(key: ErrorKey, { accept, method = 'GET', host = 'a.test', abuseUrl }: Asked) {
  const bytes = Buffer.from(
    `${method} / HTTP/1.1\r\nHost: ${host}\r\n${accept === undefined ? '' : `Accept: ${accept}\r\n`}\r\n`,
  )
  const text = renderPage(key, { bytes, host, abuseUrl }).toString()
  const end = text.indexOf('\r\n\r\n') + 4
  return { head: text.slice(0, end), body: text.slice(end) }
}

function page(bytes: Buffer): string {
  return renderPage('http.request_line', { bytes }).toString()
}

import { forgedNames } from '@porttunneler/shared/http/forged'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import { describe, expect, test } from 'vitest'
import { HeadRewriter } from './rewrite.ts'

const ours = 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: A.test:80\r\nX-Forwarded-Proto: https\r\n\r\n'

describe('rewriter', () => {
  test('every byte except the forwarding fields stays as it was sent', () => {
    const head =
      'GET /a?b|c HTTP/1.1\r\nhOsT:  A.test:80\r\nX:\ty\xe4 \r\nx: again\r\nConnection: keep-alive\r\n'
    expect(rewrite(`${head}\r\n`)).toBe(head + ours)
  })

  test.each([
    'X-Forwarded-For: 203.0.113.9',
    'x-forwarded-for:203.0.113.9',
    'X_Forwarded_For: 203.0.113.9',
    'X-FORWARDED-PROTO: http',
    'X-Forwarded-Host: b.test',
    'X-Forwarded-Port: 1',
    'X-Forwarded-Prefix: /admin',
    'Forwarded: for=203.0.113.9;proto=http',
    'x-porttunneler-account: acc_1',
    'x_client_ip: 203.0.113.9',
    ...Object.keys(forgedNames).map((name) => `${name.toUpperCase()}: 203.0.113.9`),
  ])("a visitor's own %s is left out wherever it stands", (field) => {
    const host = 'Host: A.test:80\r\n'
    const line = `${field}\r\n`
    const request = 'GET / HTTP/1.1\r\n'
    const expected = `${request}${host}A: b\r\n${ours}`
    expect(rewrite(`${request}${line}${host}A: b\r\n\r\n`)).toBe(expected)
    expect(rewrite(`${request}${host}${line}${line}A: b\r\n\r\n`)).toBe(expected)
    expect(rewrite(`${request}${host}A: b\r\n${line}\r\n`)).toBe(expected)
  })

  test('fields that describe a request’s path stay', () => {
    const head =
      'GET / HTTP/1.1\r\nHost: A.test:80\r\nVia: 1.1 a\r\nX-Request-Id: 2\r\nTraceparent: 3\r\nCDN-Loop: 4\r\n'
    expect(rewrite(`${head}\r\n`)).toBe(head + ours)
  })

  test('names that only resemble ours stay', () => {
    const head =
      'GET / HTTP/1.1\r\nHost: A.test:80\r\nX-Forwarding: 1\r\nForwarded-Fox: 2\r\nX-Real-IPs: 3\r\n'
    expect(rewrite(`${head}\r\n`)).toBe(head + ours)
  })

  test('h2c is taken out, so that HTTP/2 cannot evade these rules', () => {
    const fields = 'Connection: Upgrade, HTTP2-Settings\r\n'
    const start = 'GET / HTTP/1.1\r\nHost: A.test:80\r\n'
    expect(rewrite(`${start}HTTP2-Settings: AAMA\r\n${fields}X-Real-IP: 1\r\nUpgrade: h2c\r\n\r\n`)).toBe(
      start + fields + ours,
    )
  })

  test('a request to the same name with another Host field gets that field', () => {
    const rewriter = new HeadRewriter({ address: '2001:db8::1', proto: 'http' })
    for (const host of ['a.test', 'a.test:8080', 'A.test'])
      expect(rewrite(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, rewriter)).toContain(
        `X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Host: ${host}\r\n`,
      )
  })

  test('the last request of a connection asks to close it, whatever the visitor asked for', () => {
    const head = 'GET / HTTP/1.1\r\nHost: A.test:80\r\nConnection: keep-alive\r\n'
    const rewriter = new HeadRewriter({ address: '192.0.2.1', proto: 'https' })
    expect(rewrite(`${head}\r\n`, rewriter, true)).toBe(`${head}Connection: close\r\n${ours}`)
    expect(rewrite(`${head}\r\n`, rewriter)).toBe(head + ours)
  })
})

function rewrite(
  text: string,
  rewriter = new HeadRewriter({ address: '192.0.2.1', proto: 'https' }),
  isLast = false,
): string {
  const scanner = new RequestScanner()
  scanner.push(Buffer.from(text, 'latin1'))
  const head = scanner.next()
  if (head?.kind !== 'head') throw new Error(`refused: ${head?.kind === 'refused' && head.key}`)
  return rewriter.rewrite(head, isLast).toString('latin1')
}

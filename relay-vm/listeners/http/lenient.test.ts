/** Input that is old, rare or careless, for which RFC 9110 or 9112 says how to understand it. */

import { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import { RequestScanner, type ScanEvent } from '@porttunneler/shared/http/scanner'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const get = (fields = '') => `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const withHost = (target: string, host: string) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const ours = (host: string) =>
  `X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Proto: https\r\n\r\n`

describe('RFC 9112 2.2: empty lines before a request are ignored', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi'

  test.each([
    ['before the first', `\r\n${get()}`, ['GET /']],
    ['more than one', `\r\n\r\n\r\n${get()}`, ['GET /']],
    ['behind a body, as old clients send them', `${post}\r\n${get()}`, ['POST /', 'hi', 'GET /']],
    ['between requests', `${get()}\r\n${get()}\r\n`, ['GET /', 'GET /']],
  ])('%s', (_, text, expected) => {
    expect(scan(text).map(summary)).toEqual(expected)
    for (let cut = 1; cut < text.length; cut++)
      expect(scan(text, [cut]).map(summary), String(cut)).toEqual(expected)
  })

  test('they do not reach the upstream', () => {
    expect(rewrite(`\r\n${withHost('/', 'a.test')}`)).toBe(
      `GET / HTTP/1.1\r\nHost: a.test\r\n${ours('a.test')}`,
    )
  })

  test('half an empty line does not begin a request', () => {
    const scanner = new RequestScanner()
    scanner.push(Buffer.from('\r'))
    expect([scanner.next(), scanner.isInHead]).toEqual([undefined, true])
    scanner.push(Buffer.from('\n'))
    expect([scanner.next(), scanner.isInHead, scanner.isBetween]).toEqual([undefined, false, true])
  })

  test.each([
    ['LF alone', `\n${get()}`, 'http.line_end'],
    ['CR alone', `\r${get()}`, 'http.line_end'],
    ['a space behind it', `\r\n ${get()}`, 'http.request_line'],
    ['a line with a space', ` \r\n${get()}`, 'http.request_line'],
  ])('but not %s', (_, text, key) => {
    expect(scan(text).map(summary)).toEqual([key])
  })
})

describe('RFC 9112 2.3: a later minor version is understood as HTTP/1.1', () => {
  test.each(['HTTP/1.2', 'HTTP/1.9'])('%s, which the upstream gets as HTTP/1.1', (version) => {
    const post = `POST /a ${version}\r\nHost: a.test\r\nContent-Length: 2\r\n\r\n`
    const text = `${post}hi${get()}`
    for (let cut = 0; cut < text.length; cut++)
      expect(scan(text, [cut]).map(summary), String(cut)).toEqual(['POST /a', 'hi', 'GET /'])
    expect(rewrite(post)).toBe(`POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n${ours('a.test')}`)
  })

  test('its connection is kept, as in HTTP/1.1', () => {
    expect(scan('GET / HTTP/1.2\r\nHost: a.test\r\n\r\n').map(summary)).toEqual(['GET /'])
  })

  test.each([
    ['another major version', 'HTTP/2.0', 'http.version'],
    ['more digits', 'HTTP/1.12', 'http.request_line'],
    ['small letters', 'http/1.2', 'http.request_line'],
  ])('but not %s', (_, version, key) => {
    expect(scan(`GET / ${version}\r\nHost: a.test\r\n\r\n`).map(summary)).toEqual([key])
  })
})

describe('RFC 9112 9.6: what follows a request with "close" is ignored', () => {
  test.each([
    ['Connection: close', get('Connection: close\r\n')],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n'],
  ])('%s', (_, head) => {
    for (const rest of ['G', get(), '\r\n', '\x16\x03\x01', 'x'.repeat(100_000)])
      expect(scan(`${head}${rest}`).map(summary)).toEqual(['GET / last'])
  })

  test('behind its body too, and nothing of it is kept', () => {
    const scanner = new RequestScanner()
    scanner.push(
      Buffer.from(
        'POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n',
      ),
    )
    expect([scanner.next(), scanner.next(), scanner.next()]).toMatchObject([
      { kind: 'head' },
      { kind: 'body', isLast: true },
      undefined,
    ])
    expect([scanner.pendingBytes, scanner.isBetween]).toEqual([0, true])
  })
})

describe('RFC 9112 6.1: a transfer coding that the relay does not know is 501', () => {
  test.each(['gzip, chunked', 'deflate,chunked', 'GZIP , Chunked', 'x-gzip, br, chunked'])('%s', (value) => {
    expect(scan(get(`Transfer-Encoding: ${value}\r\n`)).map(summary)).toEqual(['http.coding'])
  })

  test.each([
    ['where chunked is not the last (6.3)', 'Transfer-Encoding: chunked, gzip\r\n'],
    ['without chunked (6.3)', 'Transfer-Encoding: gzip\r\n'],
    ['with chunked twice (7.1)', 'Transfer-Encoding: chunked, chunked\r\n'],
    ['beside a length (6.3)', 'Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n'],
    ['behind a length (6.3)', 'Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n'],
    ['on two lines', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n'],
    ['with a tab', 'Transfer-Encoding: gzip,\tchunked\r\n'],
    ['with a parameter', 'Transfer-Encoding: gzip;q=1, chunked\r\n'],
  ])('but it stays 400 %s', (_, fields) => {
    expect(scan(get(fields)).map(summary)).toEqual(['http.framing'])
  })

  test('and 400 in HTTP/1.0, where it means nothing (6.1)', () => {
    const text = get('Transfer-Encoding: gzip, chunked\r\n').replace('1.1', '1.0')
    expect(scan(text).map(summary)).toEqual(['http.framing'])
  })
})

describe('RFC 9110 4.2.3: an absolute target and Host are compared normalized', () => {
  test.each([
    ['http://a.test/', 'a.test:80'],
    ['http://a.test:80/', 'a.test'],
    ['http://a.test:/', 'a.test'],
    ['https://a.test:443/', 'a.test'],
    ['HTTP://A.TEST/', 'a.test'],
    ['http://a.test:8080/', 'A.test:8080'],
    ['http://a.test:08080/', 'a.test:8080'],
    ['http://a.test./', 'a.test'],
    ['http://[2001:DB8::1]/', '[2001:db8::1]:80'],
    ['http://a.test', 'a.test'],
    ['http://a.test?b', 'a.test'],
  ])('%s with Host %s', (target, host) => {
    expect(scan(withHost(target, host))).toMatchObject([{ kind: 'head', hostField: host }])
  })

  test.each([
    ['http://a.test:443/', 'a.test'],
    ['https://a.test/', 'a.test:80'],
    ['http://a.test:81/', 'a.test'],
    ['http://a.test/', 'b.test'],
    ['http://a.test:80:80/', 'a.test'],
    ['http://a.test\xc3\xa4/', 'a.test'],
  ])('%s with Host %s is refused', (target, host) => {
    expect(scan(withHost(target, host)).map(summary)).toEqual(['http.host'])
  })
})

describe('RFC 9112 3.2.2: HTTP/1.0 without Host is routed by its absolute target', () => {
  const old = 'GET http://A.test:8080/x HTTP/1.0\r\n\r\n'

  test('and the upstream is told the host', () => {
    expect(scan(old)).toMatchObject([{ host: 'a.test', hostField: 'A.test:8080', isLast: true }])
    expect(rewrite(old)).toBe(
      `GET http://A.test:8080/x HTTP/1.0\r\nHost: A.test:8080\r\n${ours('A.test:8080')}`,
    )
  })

  test.each([
    ['HTTP/1.1, which needs one (3.2)', 'GET http://a.test/ HTTP/1.1\r\n\r\n'],
    ['a path alone', 'GET / HTTP/1.0\r\n\r\n'],
    ['a target with user data (RFC 9110 4.2.4)', 'GET http://u@a.test/ HTTP/1.0\r\n\r\n'],
    ['an empty Host beside it', 'GET http://a.test/ HTTP/1.0\r\nHost:\r\n\r\n'],
  ])('but not %s', (_, text) => {
    expect(scan(text).map(summary)).toEqual(['http.host'])
  })
})

describe('RFC 9110 7.2 and RFC 3986 3.2: how a Host may be written', () => {
  test.each([
    ['a.test:', 'a.test'],
    ['A.TEST', 'a.test'],
    ['a.test.', 'a.test'],
    ['a.test.:8080', 'a.test'],
    ['[2001:DB8::1]:', '[2001:db8::1]'],
    ['192.0.2.1:80', '192.0.2.1'],
  ])('%s is %s', (field, host) => {
    expect(scan(withHost('/', field))).toMatchObject([{ kind: 'head', host, hostField: field }])
  })

  test.each(['a.test ', 'a.test  ', ' a.test'])(
    'spaces around it do not belong to it (RFC 9112 5.1): "%s"',
    (value) => {
      expect(scan(`GET / HTTP/1.1\r\nHost:${value}\r\n\r\n`)).toMatchObject([{ hostField: 'a.test' }])
    },
  )

  test.each(['a.test%2e', '::1', '[::1', 'a.test:-1', '.a.test', 'a.test\t'])('%s is refused', (field) => {
    expect(scan(withHost('/', field)).at(-1)).toMatchObject({ kind: 'refused' })
  })
})

describe('UTF-8 in a target is passed on as it is (RFC 3986 2.5, sent raw by many)', () => {
  test.each(['/caf\u00e9', '/\u65e5\u672c?q=\u2603', '/\u{1f600}'])('%s', (target) => {
    const raw = Buffer.from(target).toString('latin1')
    expect(rewrite(withHost(raw, 'a.test'))).toBe(`GET ${raw} HTTP/1.1\r\nHost: a.test\r\n${ours('a.test')}`)
  })

  test.each([
    ['Latin-1', '/caf\xe9'],
    ['an overlong slash', '/\xc0\xaf'],
    ['a lone continuation', '/\x85'],
    ['half a character', '/\xe6\x97'],
    ['half of a pair (CESU-8)', '/\xed\xa0\xbd'],
  ])('but not %s', (_, target) => {
    expect(scan(withHost(target, 'a.test')).map(summary)).toEqual(['http.request_line'])
  })
})

describe('RFC 9110 5.6.1.2: empty elements of a list are ignored', () => {
  test.each([
    ['Connection: , close', true],
    ['Connection: keep-alive,,close,', true],
    ['Connection: ,', false],
    ['Connection: keep-alive , upgrade ', false],
    ['Connection: close\r\nConnection: x', true],
  ])('%s: last request is %s', (field, isLast) => {
    expect(scan(get(`${field}\r\n`))).toMatchObject([{ isLast }])
  })

  test.each([', , x-forwarded-for', ',host,', 'close,,Transfer-Encoding'])(
    'and hide nothing: %s',
    (value) => {
      expect(scan(get(`Connection: ${value}\r\n`)).map(summary)).toEqual(['http.connection_option'])
    },
  )
})

describe('RFC 9110 7.8: Upgrade', () => {
  test.each([
    ['of HTTP/1.0 is none', get('Upgrade: websocket\r\n').replace('1.1', '1.0'), false],
    ['on two lines is one list', get('Upgrade: websocket\r\nUpgrade: foo/2\r\n'), true],
    ['with h2c among it is none', get('Upgrade: websocket\r\nUpgrade: h2c\r\n'), false],
    ['with h2c before it is none', get('Upgrade: h2c\r\nUpgrade: websocket\r\n'), false],
    ['in any case is one', get('uPGRADE: WebSocket\r\nconnection: UPGRADE\r\n'), true],
  ])('%s', (_, text, wantsUpgrade) => {
    expect(scan(text)).toMatchObject([{ wantsUpgrade }])
  })

  test('in HTTP/1.0 it does not reach the upstream, which might obey it and frame the bytes differently', () => {
    const fields = 'Connection: keep-alive, upgrade\r\n'
    const text = `GET / HTTP/1.0\r\nHost: a.test\r\nUpgrade: websocket\r\n${fields}\r\n`
    expect(rewrite(text)).toBe(`GET / HTTP/1.0\r\nHost: a.test\r\n${fields}${ours('a.test')}`)
  })

  test('all Upgrade lines are removed with h2c', () => {
    const text = get('Upgrade: websocket\r\nX: y\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n')
    expect(rewrite(text)).toBe(`GET / HTTP/1.1\r\nHost: a.test\r\nX: y\r\n${ours('a.test')}`)
  })
})

describe('passed on as it came', () => {
  test.each([
    ['RFC 9110 10.1.1: Expect in any case', get('eXpEcT: 100-Continue\r\n')],
    ['RFC 9110 9.3.7: OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n'],
    ['RFC 9110 9.3.8: TRACE', 'TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n'],
    ['RFC 9110 9.1: a method that nobody knows', 'M-SEARCH / HTTP/1.1\r\nHost: a.test\r\n\r\n'],
    ['RFC 9110 5.5: bytes above ASCII in a value', get('X: \xe4\r\n')],
    ['RFC 9110 5.5: an empty value', get('X:\r\n')],
    ['RFC 9112 5.1: tabs and spaces around a value', get('X:\t y \t\r\n')],
  ])('%s', (_, text) => {
    expect(rewrite(text)).toBe(text.slice(0, -2) + ours('a.test'))
  })
})

test('empty lines and bytes behind the end change nothing, however they are split', () => {
  const close = get('Connection: close\r\n')
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom('\r\n', get(), 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx'),
        {
          maxLength: 8,
        },
      ),
      fc.array(fc.nat(400), { maxLength: 12 }),
      (parts, cuts) => {
        const expected = parts.flatMap((part) =>
          part === '\r\n' ? [] : part.startsWith('G') ? ['GET /'] : ['POST /', 'x'],
        )
        const text = `${parts.join('')}\r\n${close}\r\nanything`
        expect(scan(text, cuts).map(summary)).toEqual([...expected, 'GET / last'])
      },
    ),
  )
})

/** All events of `text`, cut at the given places. */
function scan(text: string, cuts: readonly number[] = []): ScanEvent[] {
  const bytes = Buffer.from(text, 'latin1')
  const scanner = new RequestScanner()
  const events: ScanEvent[] = []
  const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    if (places[i] === places[i - 1]) continue
    scanner.push(Buffer.from(bytes.subarray(places[i - 1], places[i])))
    for (let event = scanner.next(); event; event = scanner.next()) {
      const last = events.at(-1)
      if (event.kind === 'body' && last?.kind === 'body' && !last.isLast)
        events[events.length - 1] = { ...event, bytes: Buffer.concat([last.bytes, event.bytes]) }
      else events.push(event)
      if (event.kind === 'refused') return events
    }
  }
  return events
}

function summary(event: ScanEvent): string {
  if (event.kind === 'refused') return event.key
  if (event.kind === 'body') return event.bytes.toString('latin1')
  const [, target] = event.bytes.toString('latin1').split(' ')
  return `${event.method} ${target}${event.isLast ? ' last' : ''}`
}

function rewrite(text: string): string {
  const head = scan(text)[0]
  if (head?.kind !== 'head') throw new Error(`refused: ${head?.kind === 'refused' && head.key}`)
  return new HeadRewriter({ address: '192.0.2.1', proto: 'https' }).rewrite(head).toString('latin1')
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { RequestScanner, type ScanEvent } from './scanner.ts'

const chunked = 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n'
const get = (fields: string) => `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n\r\n`

const hostile: readonly (readonly [string, string, string])[] = [
  // The request line.
  ['LF alone before the method', '\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.line_end'],
  ['CR alone before the method', '\r\n\rGET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.line_end'],
  ['a folded first line', '\r\n GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a TLS ClientHello at the plain port', '\x16\x03\x01\x02\x00', 'http.request_line'],
  ['a space before the method', ' GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['two spaces', 'GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a tab for a space', 'GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a space behind the version', 'GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['no target', 'GET HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['no version (HTTP/0.9)', 'GET /\r\n\r\n', 'http.request_line'],
  ['a fragment', 'GET /#top HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a byte of no UTF-8 in the target', 'GET /\xe4 HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a target without slash', 'GET a HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['an asterisk for GET', 'GET * HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['another scheme', 'GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a delimiter in the method', 'G(T / HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['an endless method', `${'A'.repeat(33)} / HTTP/1.1\r\nHost: a.test\r\n\r\n`, 'http.request_line'],
  ['a version in small letters', 'GET / http/1.1\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['a version of more digits', 'GET / HTTP/1.10\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['CONNECT', 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 'http.method'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http.version'],
  ['HTTP/2.1', 'GET / HTTP/2.1\r\nHost: a.test\r\n\r\n', 'http.version'],
  ['HTTP/0.9 spelled out', 'GET / HTTP/0.9\r\nHost: a.test\r\n\r\n', 'http.version'],
  // Lines and fields.
  ['LF alone', 'GET / HTTP/1.1\nHost: a.test\n\n', 'http.line_end'],
  ['LF alone behind a field', 'GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n', 'http.line_end'],
  ['CR alone in a value', get('X: a\rb'), 'http.line_end'],
  ['CR alone before CR LF', get('X: a\r'), 'http.line_end'],
  ['CR alone in the request line', 'GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n', 'http.request_line'],
  ['obs-fold', get('X: a\r\n b'), 'http.field'],
  ['obs-fold in the first field', 'GET / HTTP/1.1\r\n Host: a.test\r\n\r\n', 'http.field'],
  ['a space before the colon', get('Content-Length : 5'), 'http.field'],
  ['a tab before the colon', get('Transfer-Encoding\t: chunked'), 'http.field'],
  ['no colon', get('nonsense'), 'http.field'],
  ['an empty name', get(': x'), 'http.field'],
  ['a delimiter in a name', get('X(Y): x'), 'http.field'],
  ['a byte above ASCII in a name', get('X\xe4: x'), 'http.field'],
  ['a NUL in a value', get('X: a\0b'), 'http.field'],
  ['DEL in a value', get('X: a\x7fb'), 'http.field'],
  [
    'too many fields',
    get(Array.from({ length: 200 }, (_, i) => `X${i}: y`).join('\r\n')),
    'http.head_too_large',
  ],
  ['a head over 64 KiB', get(`X: ${'a'.repeat(limits.requestHeadBytes)}`), 'http.head_too_large'],
  ['a head without end', `GET /${'a'.repeat(limits.requestHeadBytes)}`, 'http.head_too_large'],
  // Host.
  ['no Host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n', 'http.host'],
  ['no Host in HTTP/1.1, but a target', 'GET http://a.test/ HTTP/1.1\r\n\r\n', 'http.host'],
  ['no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'http.host'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'http.host'],
  ['Host twice', get('Host: b.test'), 'http.host'],
  ['Host twice, the same', get('host: a.test'), 'http.host'],
  ['a list as Host', 'GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n', 'http.host'],
  ['user data in Host', 'GET / HTTP/1.1\r\nHost: a.test@b.test\r\n\r\n', 'http.host'],
  ['a path in Host', 'GET / HTTP/1.1\r\nHost: a.test/b\r\n\r\n', 'http.host'],
  ['a port of letters', 'GET / HTTP/1.1\r\nHost: a.test:http\r\n\r\n', 'http.host'],
  ['markup in Host', 'GET / HTTP/1.1\r\nHost: <b>\r\n\r\n', 'http.host'],
  ['another host in the target', 'GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.host'],
  ['another port in the target', 'GET http://a.test:8080/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.host'],
  ['user data in the target', 'GET http://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'http.host'],
  // Framing.
  ['two lengths', get('Content-Length: 5\r\nContent-Length: 6'), 'http.framing'],
  ['two equal lengths', get('Content-Length: 5\r\nContent-Length: 5'), 'http.framing'],
  ['a list as length', get('Content-Length: 5, 5'), 'http.framing'],
  ['a length with a sign', get('Content-Length: +5'), 'http.framing'],
  ['a negative length', get('Content-Length: -5'), 'http.framing'],
  ['a hexadecimal length', get('Content-Length: 0x5'), 'http.framing'],
  ['an empty length', get('Content-Length:'), 'http.framing'],
  ['a length of 16 digits', get('Content-Length: 1000000000000000'), 'http.framing'],
  ['a length in letters of CGI', get('Content_Length: 5'), 'http.framing'],
  ['CL.TE', get('Content-Length: 5\r\nTransfer-Encoding: chunked'), 'http.framing'],
  ['TE.CL', get('Transfer-Encoding: chunked\r\nContent-Length: 5'), 'http.framing'],
  ['TE.TE', get('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 'http.framing'],
  ['another coding', get('Transfer-Encoding: gzip, chunked'), 'http.coding'],
  ['another coding alone', get('Transfer-Encoding: gzip'), 'http.framing'],
  ['another coding last', get('Transfer-Encoding: chunked, gzip'), 'http.framing'],
  ['chunked twice in a list', get('Transfer-Encoding: chunked, chunked'), 'http.framing'],
  ['chunked twice around another', get('Transfer-Encoding: chunked, gzip, chunked'), 'http.framing'],
  ['an empty coding', get('Transfer-Encoding: , chunked'), 'http.framing'],
  [
    'another coding and a length',
    get('Transfer-Encoding: gzip, chunked\r\nContent-Length: 5'),
    'http.framing',
  ],
  ['a coding unknown', get('Transfer-Encoding: xchunke'), 'http.framing'],
  ['identity', get('Transfer-Encoding: identity'), 'http.framing'],
  ['a parameter of chunked', get('Transfer-Encoding: chunked;a=b'), 'http.framing'],
  ['a coding in letters of CGI', get('Transfer_Encoding: chunked'), 'http.framing'],
  ['chunked in HTTP/1.0', chunked.replace('1.1', '1.0'), 'http.framing'],
  // Connection.
  ['a tab behind chunked', get('Transfer-Encoding: chunked\t'), 'http.field'],
  ['a space behind a length', get('Content-Length: 5 '), 'http.field'],
  ['a tab in a list of options', get('Connection: keep-alive\t, close'), 'http.field'],
  ['an option of two words', get('Connection: close x'), 'http.field'],
  ['stripping Host', get('Connection: Host'), 'http.connection_option'],
  ['stripping X-Forwarded-For', get('Connection: close, X-Forwarded-For'), 'http.connection_option'],
  ['stripping it in letters of CGI', get('Connection: x_forwarded_for'), 'http.connection_option'],
  ['stripping behind an empty option', get('Connection: ,,host'), 'http.connection_option'],
  ['stripping X-Client-IP', get('Connection: x-client-ip'), 'http.connection_option'],
  ['stripping the length', get('Connection: keep-alive,content-length'), 'http.connection_option'],
  // Chunks.
  ['a chunk size without digits', `${chunked}\r\n`, 'http.chunk'],
  ['a chunk size with a sign', `${chunked}+5\r\nhello\r\n`, 'http.chunk'],
  ['a chunk size with 0x', `${chunked}0x5\r\nhello\r\n`, 'http.chunk'],
  ['a space behind a chunk size', `${chunked}5 \r\nhello\r\n`, 'http.chunk'],
  ['a chunk size of 13 digits', `${chunked}${'0'.repeat(12)}5\r\nhello\r\n`, 'http.chunk'],
  ['LF alone behind a chunk size', `${chunked}5\nhello\r\n`, 'http.chunk'],
  ['CR alone in an extension', `${chunked}5;a\rb\r\nhello\r\n`, 'http.chunk'],
  ['an extension without name', `${chunked}5;\r\nhello\r\n`, 'http.chunk'],
  ['an open quote in an extension', `${chunked}5;a="b\r\nhello\r\n`, 'http.chunk'],
  ['an endless extension', `${chunked}5;${'a'.repeat(600)}`, 'http.chunk'],
  ['a chunk longer than it says', `${chunked}5\r\nhello!\r\n`, 'http.chunk'],
  ['LF alone behind a chunk', `${chunked}5\r\nhello\n0\r\n\r\n`, 'http.chunk'],
  ['a framing field in a trailer', `${chunked}0\r\nContent-Length: 5\r\n\r\n`, 'http.chunk'],
  ['a forwarding field in a trailer', `${chunked}0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n`, 'http.chunk'],
  ['obs-fold in a trailer', `${chunked}0\r\nA: b\r\n c\r\n\r\n`, 'http.chunk'],
  ['trailers without end', `${chunked}0\r\n${'A: b\r\n'.repeat(3_000)}`, 'http.chunk'],
]

describe('scanner: it refuses what a sender must not send', () => {
  test.each(hostile)('%s', (_, text, key) => {
    expect(scan(text).at(-1)).toEqual({ kind: 'refused', key })
  })

  test('a refusal is final', () => {
    const scanner = new RequestScanner()
    scanner.push(Buffer.from('GET  /'))
    scanner.push(Buffer.from(' HTTP/1.1\r\n\r\n'))
    expect(scanner.next()).toEqual({ kind: 'refused', key: 'http.request_line' })
    scanner.push(Buffer.from(get('X: y')))
    expect(scanner.next()).toEqual({ kind: 'refused', key: 'http.request_line' })
  })
})

describe('scanner: framing', () => {
  test('pipelined requests come out in order, each body with its request', () => {
    const events = scan(
      `${get('X: y')}POST /b HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 3\r\n\r\nabc${chunked}` +
        `3;sig="a\\"b";v=1\r\nabc\r\n0\r\nDigest: x\r\n\r\nOPTIONS * HTTP/1.0\r\nHost: a.test.\r\n\r\n`,
    )
    expect(events.map(summary)).toEqual([
      'GET a.test 0',
      'POST a.test 3',
      'abc',
      'POST a.test chunked',
      '3;sig="a\\"b";v=1\r\nabc\r\n0\r\nDigest: x\r\n\r\n',
      'OPTIONS a.test 0 last',
    ])
  })

  test.each([
    ['Connection: close', true],
    ['Connection: Keep-Alive , CLOSE', true],
    ['Proxy-Connection: close', true],
    ['Connection: keep-alive', false],
    ['Connection: foreclose', false],
  ])('%s: last request is %s', (field, isLast) => {
    expect(scan(get(field))[0]).toMatchObject({ isLast })
  })

  test('HTTP/1.0 goes on only with keep-alive', () => {
    const old = (field: string) => `GET / HTTP/1.0\r\nHost: a.test\r\n${field}\r\n`
    expect(scan(old(''))[0]).toMatchObject({ isLast: true })
    expect(scan(old('Connection: keep-alive\r\n'))[0]).toMatchObject({ isLast: false })
  })

  test('Upgrade is told, but h2c is none', () => {
    expect(scan(get('Upgrade: websocket'))[0]).toMatchObject({ wantsUpgrade: true })
    expect(scan(get('Upgrade: h2c'))[0]).toMatchObject({ wantsUpgrade: false })
    expect(scan(get('X: y'))[0]).toMatchObject({ wantsUpgrade: false })
  })

  test('a body is passed on as it arrives, without a copy', () => {
    const scanner = new RequestScanner()
    scanner.push(
      Buffer.from('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n'),
    )
    expect(scanner.next()).toMatchObject({ kind: 'head', body: 10 })
    expect(scanner.next()).toBeUndefined()
    const part = Buffer.from('01234')
    scanner.push(part)
    const event = scanner.next()
    expect(event).toMatchObject({ kind: 'body', isLast: false })
    expect(event?.kind === 'body' && event.bytes.buffer === part.buffer).toBe(true)
    expect(scanner.isBetween).toBe(false)
  })

  test('unread bytes can be taken and passed on raw', () => {
    const scanner = new RequestScanner()
    scanner.push(Buffer.from(`${get('Upgrade: websocket')}raw bytes`))
    scanner.next()
    expect(scanner.take().toString()).toBe('raw bytes')
    expect(scanner.pendingBytes).toBe(0)
  })

  test('a head of exactly 64 KiB passes', () => {
    const rest = limits.requestHeadBytes - get('X: ').length
    expect(scan(get(`X: ${'a'.repeat(rest)}`))[0]).toMatchObject({ kind: 'head' })
  })
})

describe('scanner: any split gives the same events', () => {
  const texts = [
    ...hostile.map(([, text]) => text).filter((text) => text.length < 2_000),
    `${get('X: y')}POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc${get('A: b')}`,
    `${chunked}3\r\nabc\r\n1;x=y\r\nz\r\n0\r\nA: b\r\n\r\n${get('A: b')}GET`,
  ]

  test('at every byte', () => {
    for (const text of texts) {
      const whole = scan(text).map(inFull)
      expect(
        scan(
          text,
          Array.from({ length: text.length }, (_, i) => i),
        ).map(inFull),
        text,
      ).toEqual(whole)
      for (let cut = 1; cut < text.length; cut++)
        expect(scan(text, [cut]).map(inFull), `${cut} in ${text}`).toEqual(whole)
    }
  })

  test('at random places', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...texts.slice(-2), ...texts.slice(0, 5)), { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(2_000), { maxLength: 12 }),
        (parts, cuts) => {
          const text = parts.join('')
          expect(scan(text, cuts).map(inFull)).toEqual(scan(text).map(inFull))
        },
      ),
    )
  })
})

/** All events of `text`, cut at the given indexes; slices of one body are joined. */
function scan(text: string, cuts: readonly number[] = []): ScanEvent[] {
  const bytes = Buffer.from(text, 'latin1')
  const scanner = new RequestScanner()
  const events: ScanEvent[] = []
  const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    if (places[i] === places[i - 1]) continue
    const read = Buffer.from(bytes.subarray(places[i - 1], places[i]))
    scanner.push(read)
    for (let event = scanner.next(); event; event = scanner.next()) {
      append(events, event)
      if (event.kind === 'refused') return events
    }
    scanner.own()
    read.fill('#')
  }
  return events
}

function append(events: ScanEvent[], event: ScanEvent): void {
  const last = events.at(-1)
  if (event.kind === 'body' && last?.kind === 'body' && !last.isLast)
    events[events.length - 1] = { ...event, bytes: Buffer.concat([last.bytes, event.bytes]) }
  else events.push(event.kind === 'body' ? { ...event, bytes: Buffer.from(event.bytes) } : event)
}

function summary(event: ScanEvent): string {
  if (event.kind === 'refused') return event.key
  if (event.kind === 'body') return event.bytes.toString('latin1')
  return `${event.method} ${event.host} ${event.body}${event.isLast ? ' last' : ''}`
}

/** Heads as they came: they are needed until their request is answered. */
function inFull(event: ScanEvent): string {
  return event.kind === 'head' ? event.bytes.toString('latin1') : summary(event)
}

import { createHash, randomBytes } from 'node:crypto'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import { turns } from '@porttunneler/shared/testing/mux-link'
import { describe, expect, test } from 'vitest'
import {
  answer,
  get,
  hears,
  ours,
  type Rig,
  say,
  seen,
  type Upstream,
  useRigs,
  websocket,
} from '../../testing/http-rig.ts'

const startRig = useRigs()

describe('http visitor: requests and answers', () => {
  test('requests of one connection share a stream, answers come back untouched', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    expect(upstream.info).toMatchObject({ visitorAddress: '192.0.2.9', awaitsUpgrade: false })
    await hears(upstream, seen('/1'))
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    visitor.socket.write(`POST /2 HTTP/1.1\r\nHost: A.test\r\nContent-Length: 4\r\n\r\nbody`)
    await hears(
      upstream,
      `${seen('/1')}POST /2 HTTP/1.1\r\nHost: A.test\r\nContent-Length: 4\r\n${ours('A.test')}body`,
    )
    expect(rig.upstreams).toHaveLength(1)
  })

  test('answers are counted by status and time: final ones after interim ones, and requests without any', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1'))
    rig.clock.advance(40)
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    visitor.socket.write(get('/2'))
    await hears(upstream, seen('/1') + seen('/2'))
    rig.clock.advance(10)
    say(upstream, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    await visitor.until((text) => text.endsWith('</a>\r\n\r\n'))
    rig.clock.advance(15)
    say(upstream, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
    await visitor.until((text) => text.endsWith('0\r\n\r\n'))
    visitor.socket.write(get('/3'))
    await hears(upstream, seen('/1') + seen('/2') + seen('/3'))
    upstream.stream.reset('upstream.failed')
    await visitor.end()
    expect(rig.answers).toEqual([[200, 40], [404, 25], ['unanswered']])
  })

  test('pipelined requests are counted one by one, each from its own time, answered or not', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + get('/2'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1') + seen('/2'))
    rig.clock.advance(10)
    visitor.socket.write(get('/3') + get('/4'))
    await hears(upstream, ['/1', '/2', '/3', '/4'].map((path) => seen(path)).join(''))
    rig.clock.advance(5)
    const inner = answer('an answer that is only quoted')
    // The head of the second ends in a later piece, 7 ms on.
    const first = answer(inner) + answer('two').slice(0, 20)
    say(upstream, first)
    await visitor.until((text) => text === first)
    rig.clock.advance(7)
    say(upstream, answer('two').slice(20) + answer('three'))
    await visitor.until((text) => text.endsWith('three'))
    upstream.stream.reset('upstream.failed')
    await visitor.end()
    expect(rig.answers).toEqual([[200, 15], [200, 22], [200, 12], ['unanswered']])
  })

  test('requests behind the last answer do not count; a status in front of a strange head does', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + get('/2'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1') + seen('/2'))
    say(upstream, 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    upstream.stream.end()
    await visitor.end()
    expect(rig.answers).toEqual([[200, 0]])

    const strange = await startRig()
    const other = await strange.visit(get('/1'))
    const device = await strange.upstream()
    await hears(device, seen('/1'))
    say(device, 'HTTP/1.1 503 busy\nContent-Length: 0\n\n')
    device.stream.end()
    await other.end()
    expect(strange.answers).toEqual([[503, 0]])
  })

  test('half-close is kept both ways, and the stream is returned once', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    visitor.socket.end()
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.hasFin)
    say(upstream, answer('late'))
    upstream.stream.end()
    expect(await visitor.end()).toBe(answer('late'))
    await upstream.heard.until(() => upstream.heard.isClosed)
    expect(rig.closedTotal).toBe(1)
    expect(rig.clock.pending).toBe(0)
  })

  test('a visitor that goes away resets the stream', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/'))
    visitor.socket.resetAndDestroy()
    await rig.credited()
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
    expect(rig.closedTotal).toBe(1)
    expect(rig.clock.pending).toBe(0)
  })

  test('an upload and a download of megabytes arrive whole, though the readers stall first', async () => {
    const rig = await startRig()
    rig.isHungry = false
    const bytes = randomBytes(3_000_000)
    const visitor = await rig.visit(
      `PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    )
    visitor.socket.write(bytes)
    const upstream = await rig.upstream()
    const headBytes = () => upstream.heard.bytes.indexOf('\r\n\r\n') + 4
    await upstream.heard.until(() => upstream.heard.bytes.length >= limits.windowBytesInitial)
    upstream.heard.isHungry = true
    upstream.stream.consumed(upstream.heard.bytes.length)
    await upstream.heard.until(() => upstream.heard.bytes.length >= headBytes() + bytes.length)
    expect(hash(upstream.heard.bytes.subarray(headBytes()))).toBe(hash(bytes))

    visitor.socket.pause()
    for (let at = 0; at < bytes.length; at += 60_000) upstream.stream.write(bytes.subarray(at, at + 60_000))
    upstream.stream.end()
    await new Promise((resolve) => setImmediate(resolve))
    visitor.socket.resume()
    expect(hash(Buffer.from(await visitor.end(), 'latin1'))).toBe(hash(bytes))
  })
})

describe('http visitor: refused visitors', () => {
  test('a name that leads nowhere: 404, and it is read to the end though the visitor still sends', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('POST / HTTP/1.1\r\nHost: other.test\r\nContent-Length: 900000\r\n\r\n')
    visitor.socket.write(Buffer.alloc(900_000))
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 404 .*"code":"PT-4014"/s)
    expect(rig.refused).toEqual(['http.unknown_host'])
  })

  test.each<readonly [ErrorKey, number]>([
    ['tunnel.away', 503],
    ['visitor.denied', 403],
    ['tunnel.rate', 429],
  ])('%s: %i', async (key, status) => {
    const rig = await startRig()
    rig.refusal = key
    const text = await (await rig.visit(get('/'))).end()
    expect(text).toContain(`HTTP/1.1 ${status} `)
    expect(text.includes('\r\nRetry-After:')).toBe(status !== 403)
    // The route counts what it throws.
    expect(rig.refused).toEqual([])
  })

  test('under TLS a Host other than the name of the handshake: 421', async () => {
    const rig = await startRig()
    rig.sni = 'b.test'
    expect(await (await rig.visit(get('/'))).end()).toContain('HTTP/1.1 421 ')
    expect(rig.upstreams).toHaveLength(0)
  })

  test('a first request that is malformed: 400 at once', async () => {
    const rig = await startRig()
    expect(await (await rig.visit('GET / HTTP/1.1\nHost: a.test\n\n')).end()).toMatch(
      /^HTTP\/1\.1 400 .*PT-4003/s,
    )
  })

  test('the relay’s own name is served by the relay, from the first byte', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(
      get('/v1/live', 'relay.test') + get('/again', 'relay.test', 'Connection: close\r\n'),
    )
    const text = await visitor.end()
    expect(text).toContain('own /v1/live')
    expect(text).toContain('own /again')
  })
})

describe('http visitor: a later request that leads nowhere', () => {
  test.each([
    ['another host', get('/x', 'b.test'), 421, 'PT-4013'],
    ['an unknown host', get('/x', 'nowhere.test'), 421, 'PT-4013'],
    ['CL.TE', get('/x', 'a.test', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 400, 'PT-4005'],
    ['a smuggled prefix', 'G / HTTP/1.1\nHost: b.test\n\n', 400, 'PT-4003'],
  ])('%s: refused behind the answer to the first, and never forwarded', async (_, bad, status, code) => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + bad)
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1'))
    await rig.pass(1_000)
    expect(visitor.text).toBe('')
    // The length of the answer says where it ends: nobody waits for a timer.
    say(upstream, answer('one'))
    const text = await visitor.end()
    expect(text.slice(0, answer('one').length)).toBe(answer('one'))
    expect(text.slice(answer('one').length)).toContain(`HTTP/1.1 ${status} `)
    expect(text).toContain(code)
    expect(upstream.heard.bytes.toString()).toBe(seen('/1'))
  })

  test.each([
    ['is no HTTP', 'chunk'],
    ['ends with its connection', 'HTTP/1.1 200 OK\r\n\r\nchunk'],
    [
      'has two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['has said "close"', answer('one').replace('\r\n', '\r\nConnection: close\r\n')],
    ['is more than was asked for', answer('one') + answer('two')],
  ])('no page behind an answer that %s, however long it is silent', async (_, text) => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + get('/2', 'b.test'))
    const upstream = await rig.upstream()
    say(upstream, text)
    await visitor.until((heard) => heard === text)
    await rig.pass(20_000)
    upstream.stream.end()
    expect(await visitor.end()).toBe(text)
  })

  test.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi'],
    ['LF alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi'],
    ['a line too many', `${answer('one')}\r\n`],
  ])('an answer with %s ends the connection at once when another request comes', async (_, text) => {
    for (const other of [get('/2', 'b.test'), get('/ws', 'a.test', websocket)]) {
      const rig = await startRig()
      const visitor = await rig.visit(get('/1'))
      const upstream = await rig.upstream()
      say(upstream, text)
      await visitor.until((heard) => heard === text)
      visitor.socket.write(other)
      expect(await visitor.end()).toBe(text)
      await upstream.heard.until(() => upstream.heard.hasFin)
      expect(rig.upstreams).toHaveLength(1)
    }
  })

  test('an upstream that never answers: 504 to a correct request', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + get('/2', 'b.test'))
    await hears(await rig.upstream(), seen('/1'))
    await rig.pass(limits.httpIdleMs * 1.3)
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 504 .*PT-4017/s)
  })

  test('a broken body of the first request: 400 at once, because nothing else can have been answered', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(
      get('/', 'a.test', 'Transfer-Encoding: chunked\r\n').concat('5\r\nhello\r\nnonsense\r\n'),
    )
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 400 .*PT-4006/s)
    const { heard } = await rig.upstream()
    await heard.until(() => heard.resetCode !== undefined)
    expect(heard.resetCode).toBe(4006)
  })
})

describe('http visitor: an upstream that fails', () => {
  test('nothing listens: 502 with the code of the agent', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/', 'a.test', 'Accept: text/html\r\n'))
    const upstream = await rig.upstream()
    upstream.stream.reset('upstream.refused')
    const text = await visitor.end()
    expect(text).toContain('HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html')
    expect(text).toContain('PT-6040')
    expect(rig.refused).toEqual(['upstream.refused'])
  })

  test('what agent and relay blame on each other is not blamed on the visitor', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    ;(await rig.upstream()).stream.reset('session.superseded')
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 502 .*PT-3022/s)
    expect(rig.refused).toEqual(['session.superseded'])
  })

  test('it closes without a byte: 502', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    ;(await rig.upstream()).stream.end()
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 502 .*PT-4015/s)
  })

  test('it fails inside an answer: the connection is reset, and no page is mixed in', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    say(upstream, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    await visitor.until((text) => text.endsWith('half'))
    upstream.stream.reset('stream.aborted')
    expect(await visitor.end()).toMatch(/half$/)
    expect(visitor.error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('it answers early and ends, then resets: the answer and its end, while the visitor still uploads', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/', 'a.test', 'Content-Length: 100000\r\n') + 'x'.repeat(1_000))
    const upstream = await rig.upstream()
    say(upstream, answer('too much'))
    upstream.stream.end()
    upstream.stream.reset('stream.aborted')
    visitor.socket.write('x'.repeat(50_000))
    expect(await visitor.end()).toBe(answer('too much'))
    expect(visitor.error).toBeUndefined()
  })

  test('it closes after an answer: the connection closes too', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    say(upstream, answer('bye'))
    upstream.stream.end()
    expect(await visitor.end()).toBe(answer('bye'))
  })
})

describe('http visitor: a relay that leaves, and a slow reader', () => {
  /** An answer of which a little still lies in the relay when the relay leaves. @returns how long it is */
  async function answerAll(rig: Rig, upstream: Upstream): Promise<number> {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const last = '0\r\n\r\n'
    say(upstream, head)
    let sent = head.length
    const [accepted] = rig.accepted
    // Until both kernels are full.
    while (accepted?.writableLength === 0) {
      say(upstream, chunk)
      sent += chunk.length
      await turns(1)
    }
    say(upstream, last)
    sent += last.length
    while ((accepted?.bytesWritten ?? 0) < sent) await turns(1)
    return sent
  }

  test.each(['between requests', 'behind the last one'])('all of the answer arrives: %s', async (when) => {
    const rig = await startRig()
    const isBetween = when === 'between requests'
    const visitor = await rig.visit(isBetween ? get('/big') : '')
    if (!isBetween) {
      rig.connections[0]?.startLeaving()
      visitor.socket.write(get('/big'))
    }
    const upstream = await rig.upstream()
    visitor.socket.pause()
    const length = await answerAll(rig, upstream)
    if (isBetween) {
      rig.connections[0]?.startLeaving()
      leave(rig)
    } else upstream.stream.end()
    while (!rig.accepted[0]?.writableEnded) await turns(1)
    await rig.pass(30_000)
    visitor.socket.resume()
    expect((await visitor.end()).length).toBe(length)
  })

  test('a visitor that reads nothing for a minute is disconnected', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/big'))
    const upstream = await rig.upstream()
    visitor.socket.pause()
    await answerAll(rig, upstream)
    rig.connections[0]?.startLeaving()
    leave(rig)
    await rig.pass(61_000)
    expect(rig.accepted[0]?.destroyed).toBe(true)
  })
})

describe('http visitor: Upgrade', () => {
  const asking = get('/ws', 'a.test', websocket)

  test('bytes behind it are held until the upstream has switched, then pass raw both ways', async () => {
    const rig = await startRig()
    const frames = randomBytes(500_000)
    const visitor = await rig.visit(asking)
    visitor.socket.write(frames)
    const upstream = await rig.upstream()
    expect(upstream.info.awaitsUpgrade).toBe(true)
    const head = seen('/ws', websocket)
    await hears(upstream, head)
    await rig.pass(5_000)
    expect(upstream.heard.bytes.toString('latin1')).toBe(head)
    // What is held is bounded (64 KiB, one more read, the socket's own buffer); the rest waits at the visitor.
    expect(rig.accepted[0]?.bytesRead).toBeLessThan(300_000)
    upstream.stream.answeredUpgrade('upgraded')
    say(upstream, 'HTTP/1.1 101 Switching Protocols\r\n\r\nraw')
    await visitor.until((text) => text.endsWith('raw'))
    await upstream.heard.until(() => upstream.heard.bytes.length === head.length + frames.length)
    expect(hash(upstream.heard.bytes.subarray(head.length))).toBe(hash(frames))
    visitor.socket.end('GET / HTTP/1.1\nnot looked at')
    await upstream.heard.until(() => upstream.heard.hasFin)
    expect(upstream.heard.bytes.toString('latin1')).toMatch(/not looked at$/)
    upstream.stream.end()
    await visitor.end()
  })

  test('refused by the upstream: scanning goes on with what was held', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(asking + get('/2') + get('/3', 'b.test'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/ws', websocket))
    upstream.stream.answeredUpgrade('plain')
    say(upstream, answer('no'))
    await hears(upstream, seen('/ws', websocket) + seen('/2'))
    say(upstream, answer('two'))
    expect(await visitor.end()).toMatch(/^HTTP.*no.*two.*HTTP\/1\.1 421 /s)
  })

  test('answered before its body has passed: decided when it has', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/exec', 'a.test', `${websocket}Content-Length: 4\r\n`))
    const upstream = await rig.upstream()
    upstream.stream.answeredUpgrade('upgraded')
    say(upstream, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await visitor.until((text) => text.includes('101'))
    visitor.socket.write('bodyraw\n\n')
    await hears(upstream, `${seen('/exec', `${websocket}Content-Length: 4\r\n`)}bodyraw\n\n`)
  })

  test.each([
    ['of a length', answer('one')],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n'],
    ['without a body', 'HTTP/1.1 304 Not Modified\r\n\r\n'],
    [
      'with a head of 100 KB',
      `HTTP/1.1 200 OK\r\nSet-Cookie: ${'a'.repeat(100_000)}\r\nContent-Length: 3\r\n\r\none`,
    ],
    ['with trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nA: b\r\n\r\n'],
    ['behind an early hint', `HTTP/1.1 103 Early Hints\r\n\r\n${answer('one')}`],
  ])('on a kept connection it waits for the end of the answer, %s, and for no timer', async (_, text) => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const first = await rig.upstream(0)
    await hears(first, seen('/1'))
    say(first, text)
    await visitor.until((heard) => heard === text)
    visitor.socket.write(asking)
    await hears(await rig.upstream(1), seen('/ws', websocket))
    await first.heard.until(() => first.heard.hasFin)
  })

  test('sent before the answer is complete, it goes out behind its last byte, and for no timer', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + asking)
    const first = await rig.upstream(0)
    await hears(first, seen('/1'))
    say(first, answer('one').slice(0, -1))
    await visitor.until((heard) => heard === answer('one').slice(0, -1))
    expect(rig.upstreams).toHaveLength(1)
    say(first, 'e')
    const second = await rig.upstream(1)
    await hears(second, seen('/ws', websocket))
    second.stream.answeredUpgrade('upgraded')
    say(second, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await visitor.until((heard) => heard === `${answer('one')}HTTP/1.1 101 Switching Protocols\r\n\r\n`)
  })

  test('a later one gets a stream of its own once all requests before it are answered', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + asking)
    const first = await rig.upstream(0)
    await hears(first, seen('/1'))
    say(first, answer('one'))
    await visitor.until((text) => text === answer('one'))
    const second = await rig.upstream(1)
    expect(second.info.awaitsUpgrade).toBe(true)
    await hears(second, seen('/ws', websocket))
    await first.heard.until(() => first.heard.hasFin)
    second.stream.answeredUpgrade('upgraded')
    say(second, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await visitor.until((text) => text.endsWith('101 Switching Protocols\r\n\r\n'))
    visitor.socket.write('raw')
    await hears(second, `${seen('/ws', websocket)}raw`)
    first.stream.end()
    visitor.socket.resetAndDestroy()
    await rig.credited()
    await second.heard.until(() => second.heard.resetCode !== undefined)
    expect(rig.closedTotal).toBe(2)
  })

  test('a retired stream that still speaks ends the connection: its bytes have no place', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1') + asking)
    const first = await rig.upstream(0)
    say(first, answer('one'))
    await visitor.until((text) => text === answer('one'))
    await rig.upstream(1)
    say(first, 'more')
    expect(await visitor.end()).toBe(answer('one'))
  })
})

describe('http visitor: time', () => {
  test('a head that is not complete in ten seconds: 408', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('GET / HTTP/1.1\r\nHos')
    await rig.pass(9_000)
    expect(visitor.text).toBe('')
    visitor.socket.write('t: a.')
    await rig.pass(1_100)
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 408 .*PT-4010/s)
  })

  test('nothing at all in ten seconds: closed without an answer', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    await rig.pass(10_100)
    expect(await visitor.end()).toBe('')
  })

  test('five minutes without a byte either way: closed; a byte in between starts them anew', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/'))
    await rig.pass(limits.httpIdleMs - 10_000)
    say(upstream, 'HTTP/1.1 200 OK\r\n\r\n')
    await visitor.until((text) => text.length > 0)
    await rig.pass(limits.httpIdleMs - 80_000)
    expect(visitor.hasEnded).toBe(false)
    await rig.pass(160_000)
    await visitor.end()
  })

  /** Longer than a connection may stand still. */
  const tooLong = limits.httpIdleMs * 1.3
  const post = get('/slow', 'a.test', 'Content-Length: 10\r\n')

  test('a request that is not answered in five minutes: 504, and the upstream hears why', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/'))
    await rig.pass(tooLong)
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 504 .*PT-4017/s)
    expect(rig.refused).toEqual(['http.answer_deadline'])
    await upstream.heard.until(() => upstream.heard.resetCode === 4017)
  })

  test('so is a later one, behind the answer to the first', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1'))
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    visitor.socket.write(get('/2'))
    await hears(upstream, seen('/1') + seen('/2'))
    await rig.pass(tooLong)
    expect(await visitor.end()).toMatch(/oneHTTP\/1\.1 504 .*PT-4017/s)
  })

  test('an interim answer does not count: 504 after it', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(post)
    const upstream = await rig.upstream()
    const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'
    say(upstream, goOn)
    await visitor.until((text) => text === goOn)
    visitor.socket.write('0123456789')
    await upstream.heard.until(() => upstream.heard.bytes.toString().endsWith('0123456789'))
    await rig.pass(tooLong)
    expect((await visitor.end()).slice(goOn.length)).toMatch(/^HTTP\/1\.1 504 /)
  })

  test('an upload that stops for five minutes: 408', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(`${post}half`)
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.toString().endsWith('half'))
    await rig.pass(tooLong)
    expect(await visitor.end()).toMatch(/^HTTP\/1\.1 408 .*PT-4018/s)
    await upstream.heard.until(() => upstream.heard.resetCode === 4018)
  })

  test('an answer that stops in the middle is reset: no page after it, and no end that looks complete', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/'))
    const upstream = await rig.upstream()
    const half = 'HTTP/1.1 200 OK\r\n\r\nhalf'
    say(upstream, half)
    await visitor.until((text) => text === half)
    await rig.pass(tooLong)
    while (!visitor.error) await rig.pass(100)
    expect(visitor.text).toBe(half)
    expect(visitor.error).toMatchObject({ code: 'ECONNRESET' })
  })

  test('an upgraded connection may be idle for hours', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/ws', 'a.test', websocket))
    const upstream = await rig.upstream()
    upstream.stream.answeredUpgrade('upgraded')
    say(upstream, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await visitor.until((text) => text.length > 0)
    await rig.pass(4 * 3_600_000)
    expect(visitor.hasEnded).toBe(false)
    expect(rig.clock.pending).toBe(0)
  })
})

/** Half a second passes in a relay that leaves. */
function leave(rig: Rig): void {
  for (let looks = 0; looks < 10; looks++) rig.connections[0]?.leaveIfDone()
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

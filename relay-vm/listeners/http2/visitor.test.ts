import { randomBytes } from 'node:crypto'
import { constants } from 'node:http2'
import { Budget } from '@porttunneler/shared/mux/budget'
import { limits } from '@porttunneler/shared/protocol/limits'
import { describe, expect, test } from 'vitest'
import { answer, say, useRigs } from '../../testing/http-rig.ts'
import { ask, asked, over, when } from '../../testing/http2-visitor.ts'
import { HeldBodies } from './held-bodies.ts'

const startRigs = useRigs()
const startRig: typeof startRigs = (settings) => startRigs({ isHttp2: true, ...settings })

const ours = `X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Host: a.test\r\nX-Forwarded-Proto: https\r\n\r\n`
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('http/2 visitor: requests and answers', () => {
  test('requests travel as HTTP/1.1 on one stream, with our fields and without those of a connection', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const first = ask(client, {
      ':path': '/1',
      cookie: ['a=1', 'b=2'],
      'x-forwarded-for': '10.0.0.1',
      'x-real-ip': '10.0.0.1',
      te: 'trailers',
      'x-utf8': Buffer.from('ü').toString('latin1'),
    })
    const upstream = await rig.upstream()
    expect(upstream.info).toMatchObject({ visitorAddress: '192.0.2.9', awaitsUpgrade: false })
    expect(await asked(upstream, '/1')).toBe(
      `GET /1 HTTP/1.1\r\nHost: a.test\r\nte: trailers\r\nx-utf8: Ã¼\r\ncookie: a=1; b=2\r\n${ours}`,
    )
    rig.clock.advance(30)
    say(upstream, 'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: 1\r\nset-cookie: b\r\nKeep-Alive: timeout=5\r\n')
    say(upstream, 'Connection: x-private, keep-alive\r\nX-Private: 1\r\nContent-Length: 3\r\n\r\none')
    await over(first)
    expect(first).toMatchObject({ status: 200, text: 'one', code: 0 })
    expect(first.fields).toEqual(['set-cookie', 'a', 'x', '1', 'set-cookie', 'b', 'content-length', '3'])
    const second = ask(client, { ':path': '/2', ':method': 'HEAD' })
    expect(await asked(upstream, '/2')).toContain(`HEAD /2 HTTP/1.1\r\nHost: a.test\r\n${ours}`)
    say(upstream, 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n')
    expect(await over(second)).toMatchObject({ status: 200, text: '', code: 0 })
    expect(second.fields).toEqual(['content-length', '3'])
    expect(rig.upstreams).toHaveLength(1)
    expect(rig.answers).toEqual([
      [200, 30],
      [200, 0],
    ])
  })

  test('a visitor that a proxy in front names as one by plain HTTP is sent to HTTPS', async () => {
    const rig = await startRig()
    rig.judge = () => 'http.https_only'
    const sent = await over(ask(rig.connect(), { ':path': '/a?b' }))
    expect(sent.status).toBe(308)
    expect(sent.fields.join('\n')).toContain('location\nhttps://a.test:8443/a?b')
    expect(rig.upstreams).toHaveLength(0)
  })

  test('a body of known length passes as it is, another one in chunks, with its trailers', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const known = ask(client, { ':path': '/1', ':method': 'PUT', 'content-length': 4 }, { isOpen: true })
    known.stream.end('body')
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.includes('body'))
    expect(upstream.heard.bytes.toString()).toBe(
      `PUT /1 HTTP/1.1\r\nHost: a.test\r\ncontent-length: 4\r\n${ours}body`,
    )
    say(upstream, answer('ok'))
    await over(known)
    const options = { isOpen: true, waitForTrailers: true }
    const unknown = ask(client, { ':path': '/2', ':method': 'POST' }, options)
    unknown.stream.on('wantTrailers', () => unknown.stream.sendTrailers({ 'x-sum': '1', host: 'evil' }))
    unknown.stream.end('hello')
    await upstream.heard.until(() => upstream.heard.bytes.includes('x-sum'))
    expect(await asked(upstream, '/2')).toContain(
      `POST /2 HTTP/1.1\r\nHost: a.test\r\ntransfer-encoding: chunked\r\n${ours}5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n`,
    )
    say(upstream, answer('ok'))
    await over(unknown)
    const empty = ask(client, { ':path': '/3', ':method': 'POST' })
    expect(await asked(upstream, '/3')).toContain(`POST /3 HTTP/1.1\r\nHost: a.test\r\ncontent-length: 0\r\n`)
    say(upstream, answer('ok'))
    expect(await over(empty)).toMatchObject({ status: 200, text: 'ok' })
    expect(rig.upstreams).toHaveLength(1)
  })

  test('trailers, interim answers and answers without a body arrive', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const call = ask(client, { ':path': '/1', ':method': 'POST', expect: '100-continue' }, { isOpen: true })
    const upstream = await rig.upstream()
    await asked(upstream, '/1')
    say(upstream, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n')
    await when(() => call.interim.includes(103))
    call.stream.end('x')
    await upstream.heard.until(() => upstream.heard.bytes.includes('0\r\n\r\n'))
    say(upstream, `${chunked}5\r\nhello\r\n0\r\ngrpc-status: 0\r\n__proto__: x\r\n\r\n`)
    await over(call)
    expect(call).toMatchObject({ status: 200, text: 'hello', code: 0, trailers: { 'grpc-status': '0' } })
    // Trailers-only in gRPC: everything stands in the head, and the head ends the answer.
    const failed = ask(client, { ':path': '/2', ':method': 'POST' }, { isOpen: true })
    failed.stream.end('x')
    await asked(upstream, '/2')
    say(upstream, 'HTTP/1.1 200 OK\r\ngrpc-status: 5\r\nContent-Length: 0\r\n\r\n')
    await over(failed)
    expect(failed).toMatchObject({ status: 200, text: '', trailers: {}, code: 0 })
    for (const status of [204, 304]) {
      const bare = ask(client, { ':path': `/${status}` })
      await asked(upstream, `/${status}`)
      say(upstream, `HTTP/1.1 ${status} x\r\n\r\n`)
      expect(await over(bare)).toMatchObject({ status, text: '', code: 0 })
    }
  })

  test('both directions run at once', async () => {
    const rig = await startRig()
    const call = ask(rig.connect(), { ':path': '/', ':method': 'POST' }, { isOpen: true })
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    say(upstream, chunked)
    for (const word of ['one', 'two', 'three']) {
      call.stream.write(word)
      await upstream.heard.until(() => upstream.heard.bytes.includes(`${word}\r\n`))
      say(upstream, `${word.length}\r\n${word}\r\n`)
      await when(() => call.text.endsWith(word))
    }
    call.stream.end()
    await upstream.heard.until(() => upstream.heard.bytes.includes('0\r\n\r\n'))
    say(upstream, '0\r\n\r\n')
    expect(await over(call)).toMatchObject({ text: 'onetwothree', code: 0 })
  })

  test('megabytes arrive whole both ways though the readers stall first, and no memory stays held', async () => {
    const memory = new HeldBodies(new Budget(1_000_000_000, undefined, { isFair: true }))
    const rig = await startRig({ more: { memory } })
    rig.isHungry = false
    const client = rig.connect()
    const bytes = randomBytes(3_000_000)
    const call = ask(
      client,
      { ':path': '/', ':method': 'PUT', 'content-length': bytes.length },
      { isOpen: true },
    )
    call.stream.end(bytes)
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.length >= limits.windowBytesInitial)
    await when(() => memory.usedBytes > 0)
    upstream.heard.isHungry = true
    upstream.stream.consumed(upstream.heard.bytes.length)
    const head = upstream.heard.bytes.indexOf('\r\n\r\n') + 4
    await upstream.heard.until(() => upstream.heard.bytes.length === head + bytes.length)
    expect(upstream.heard.bytes.subarray(head).equals(bytes)).toBe(true)
    call.stream.pause()
    upstream.stream.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`))
    upstream.stream.write(bytes)
    await when(() => call.status === 200)
    call.stream.resume()
    await over(call)
    expect(Buffer.from(call.text, 'latin1').equals(bytes)).toBe(true)
    expect(memory.usedBytes).toBe(0)
  })

  test('an answer that ends before its request does ends the request', async () => {
    const rig = await startRig()
    const call = ask(rig.connect(), { ':path': '/', ':method': 'POST' }, { isOpen: true })
    call.stream.write('some')
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    say(upstream, answer('enough'))
    expect(await over(call)).toMatchObject({ status: 200, text: 'enough', code: constants.NGHTTP2_NO_ERROR })
    await rig.credited()
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
    expect(rig.closedTotal).toBe(1)
  })
})

describe('http/2 visitor: refusals', () => {
  test.each([
    ['another host', { ':authority': 'b.test' }, 421, 'PT-4013'],
    ['a Host that differs', { host: 'b.test' }, 400, 'PT-4004'],
    ['a strange scheme', { ':scheme': 'ftp' }, 400, 'PT-4001'],
    ['a length spelt for CGI', { content_length: '5' }, 400, 'PT-4005'],
    ['a head that is too long', { x: 'y'.repeat(40_000), z: 'y'.repeat(40_000) }, 431, 'PT-4009'],
  ])('%s gets its page, and the connection goes on', async (_name, fields, status, code) => {
    const rig = await startRig()
    const client = rig.connect()
    const refused = await over(ask(client, { ':path': '/', ...fields }))
    expect(refused.status).toBe(status)
    expect(refused.text).toContain(code)
    expect(refused.fields).not.toContain('connection')
    const good = ask(client, { ':path': '/good' })
    const upstream = await rig.upstream()
    await asked(upstream, '/good')
    say(upstream, answer('ok'))
    expect(await over(good)).toMatchObject({ status: 200, text: 'ok' })
    expect(rig.refused).toHaveLength(1)
  })

  test('the tunnel’s rules hold for each request, and a body in chunks may not be longer than they say', async () => {
    const rig = await startRig()
    rig.judge = (body) => (body === 'chunked' ? 5 : 'http.requests_rate')
    const client = rig.connect()
    expect(await over(ask(client, { ':path': '/' }))).toMatchObject({ status: 429 })
    const long = ask(client, { ':path': '/', ':method': 'POST' }, { isOpen: true })
    long.stream.write('123')
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.includes('123'))
    long.stream.write('456')
    expect(await over(long)).toMatchObject({ status: 413 })
    await rig.credited()
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
    expect(rig.refused).toEqual(['http.requests_rate', 'http.body_limit'])
  })

  test('a visitor who may not come in stays refused, however many requests it sends', async () => {
    const rig = await startRig({ more: { welcome: () => 'visitor.rate' } })
    const client = rig.connect()
    for (let turn = 0; turn < 3; turn++)
      expect(await over(ask(client, { ':path': '/' }))).toMatchObject({ status: 429 })
    expect(rig.upstreams).toHaveLength(0)
  })

  test('a refusal of the stream is told by its page', async () => {
    const rig = await startRig()
    rig.refusal = 'tunnel.away'
    expect(await over(ask(rig.connect(), { ':path': '/' }))).toMatchObject({ status: 503 })
  })

  test('the relay’s own names and CONNECT are for HTTP/1.1', async () => {
    const rig = await startRig({ more: { lookup: () => 'own' } })
    const own = await over(ask(rig.connect(), { ':path': '/' }))
    expect(own.code).toBe(constants.NGHTTP2_HTTP_1_1_REQUIRED)
  })

  test('a host that another process serves: the visitor is sent away, and may repeat the request', async () => {
    const rig = await startRig({ more: { isHttp1Only: () => true } })
    const client = rig.connect()
    const moved = await over(ask(client, { ':path': '/' }))
    expect(moved.code).toBe(constants.NGHTTP2_REFUSED_STREAM)
    await when(() => client.closed)
  })
})

describe('http/2 visitor: failures', () => {
  test('an upstream that ends without an answer, or with a broken one, is a 502', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const silent = ask(client, { ':path': '/1' })
    const first = await rig.upstream(0)
    await asked(first, '/1')
    first.stream.end()
    expect(await over(silent)).toMatchObject({ status: 502 })
    const broken = ask(client, { ':path': '/2' })
    const second = await rig.upstream(1)
    await asked(second, '/2')
    say(second, 'SSH-2.0-OpenSSH\r\n\r\n')
    expect(await over(broken)).toMatchObject({ status: 502 })
    expect(broken.text).toContain('PT-4022')
    const upgraded = ask(client, { ':path': '/3' })
    const third = await rig.upstream(2)
    await asked(third, '/3')
    say(third, 'HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')
    expect(await over(upgraded)).toMatchObject({ status: 502 })
    const strange = ask(client, { ':path': '/4' })
    const fourth = await rig.upstream(3)
    await asked(fourth, '/4')
    say(fourth, 'HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n')
    expect(await over(strange)).toMatchObject({ status: 502 })
    expect(rig.refused).toEqual(['http.upstream_silent', 'http.answer', 'http.answer', 'http.answer'])
    expect(rig.answers).toEqual([['unanswered'], ['unanswered'], ['unanswered'], ['unanswered']])
  })

  test.each([
    ['a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    ['chunks', `${chunked}4\r\nhalf\r\n`],
  ])('%s that ends too early is a reset, never an end', async (_name, text) => {
    for (const end of ['fin', 'reset']) {
      const rig = await startRig()
      const cut = ask(rig.connect(), { ':path': '/' })
      const upstream = await rig.upstream()
      await asked(upstream, '/')
      say(upstream, text)
      await when(() => cut.text === 'half')
      if (end === 'fin') upstream.stream.end()
      else upstream.stream.reset('upstream.failed')
      await over(cut)
      expect(cut.code).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    }
  })

  test('an answer that ends with its connection is whole when the upstream ends', async () => {
    const rig = await startRig()
    const call = ask(rig.connect(), { ':path': '/' })
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    say(upstream, 'HTTP/1.0 200 OK\r\n\r\nall of it')
    await when(() => call.text === 'all of it')
    upstream.stream.end()
    expect(await over(call)).toMatchObject({ code: 0, text: 'all of it' })
    await upstream.heard.until(() => upstream.heard.isClosed)
    expect(rig.closedTotal).toBe(1)
  })

  test('a request that the visitor takes back resets its upstream, and no other', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const goes = ask(client, { ':path': '/1' })
    const stays = ask(client, { ':path': '/2' })
    const [first, second] = [await rig.upstream(0), await rig.upstream(1)]
    await asked(first, '/1')
    await asked(second, '/2')
    goes.stream.close(constants.NGHTTP2_CANCEL)
    await over(goes)
    await when(() => rig.closedTotal === 1)
    await rig.credited()
    await first.heard.until(() => first.heard.resetCode !== undefined)
    say(second, answer('two'))
    expect(await over(stays)).toMatchObject({ text: 'two', code: 0 })
  })

  test('a visitor that goes away resets every stream, and leaves no timer', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const idle = ask(client, { ':path': '/0' })
    const kept = await rig.upstream(0)
    await asked(kept, '/0')
    say(kept, answer('ok'))
    await over(idle)
    ask(client, { ':path': '/1' })
    ask(client, { ':path': '/2' })
    await rig.upstream(1)
    await asked(kept, '/1')
    client.destroy()
    await when(() => rig.closedTotal === 2)
    expect(rig.clock.pending).toBe(0)
  })
})

import { describe, expect, test } from 'vitest'
import { answer, get, hears, say, seen, useRigs } from '../../testing/http-rig.ts'

const startRig = useRigs()

describe('http visitor: what the policy says of requests', () => {
  const post = (path: string, fields: string, body = '') =>
    `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n\r\n${body}`
  const upTo = (bytes: number) => (body: number | 'chunked') =>
    body === 'chunked' ? bytes : body > bytes ? ('http.body_limit' as const) : undefined

  test('a body whose length is too large never reaches the upstream', async () => {
    const rig = await startRig()
    rig.judge = upTo(10)
    const visitor = await rig.visit(post('/', 'Content-Length: 11', 'hello world'))
    const said = await visitor.end()
    expect(said).toMatch(/^HTTP\/1\.1 413 /)
    expect(said).toContain('PT-4020')
    expect(rig.upstreams).toHaveLength(0)
    expect(rig.refused).toEqual(['http.body_limit'])
  })

  test('a chunked body that grows too long is refused in its middle, and the upstream learns that it is cut', async () => {
    const rig = await startRig()
    rig.judge = upTo(10)
    const visitor = await rig.visit(post('/', 'Transfer-Encoding: chunked', '3\r\nabc\r\n'))
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.includes('abc\r\n'))
    visitor.socket.write('3\r\ndef\r\n')
    const said = await visitor.end()
    expect(said).toMatch(/^HTTP\/1\.1 413 /)
    expect(said).toContain('PT-4020')
    await upstream.heard.until(() => upstream.heard.resetCode !== undefined)
    expect(String(upstream.heard.bytes)).not.toContain('def')
  })

  test('after an answer on the same connection the page is in place too', async () => {
    const rig = await startRig()
    rig.judge = upTo(10)
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1'))
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    visitor.socket.write(post('/2', 'Transfer-Encoding: chunked', 'f\r\n0123456789abcde\r\n'))
    const said = await visitor.end()
    expect(said.startsWith(`${answer('one')}HTTP/1.1 413 `)).toBe(true)
  })

  test('a running answer to an earlier request is not cut', async () => {
    const rig = await startRig()
    rig.judge = upTo(10)
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    await hears(upstream, seen('/1'))
    say(upstream, answer('first').slice(0, -2))
    visitor.socket.write(post('/2', 'Transfer-Encoding: chunked', 'f\r\n0123456789abcde\r\n'))
    while (rig.refused.length === 0) await new Promise(setImmediate)
    say(upstream, answer('first').slice(-2))
    await visitor.until((text) => text === answer('first'))
  })

  test('an answer that came before the body was too long counts, and nothing follows it', async () => {
    const rig = await startRig()
    rig.judge = upTo(10)
    const visitor = await rig.visit(post('/', 'Transfer-Encoding: chunked', '1\r\na\r\n'))
    const upstream = await rig.upstream()
    await upstream.heard.until(() => upstream.heard.bytes.includes('a\r\n'))
    say(upstream, answer('enough'))
    await visitor.until((text) => text === answer('enough'))
    visitor.socket.write('f\r\n0123456789abcde\r\n')
    expect(await visitor.end()).toBe(answer('enough'))
  })

  test.each([
    ['/a?b', 'https://a.test:8443/a?b'],
    ['http://a.test/a', 'https://a.test:8443/a'],
    ['http://a.test?b', 'https://a.test:8443/?b'],
    ['*', 'https://a.test:8443/', 'OPTIONS'],
  ])('%s by plain HTTP is sent to %s', async (target, location, method = 'GET') => {
    const rig = await startRig()
    rig.judge = (_body, proto) => (proto === 'http' ? 'http.https_only' : undefined)
    const visitor = await rig.visit(get(target).replace('GET', method))
    expect(await visitor.end()).toContain(`\r\nLocation: ${location}\r\n`)
    expect(rig.upstreams).toHaveLength(0)
  })
})

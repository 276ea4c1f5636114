/**
 * HTTP of visitors through a whole service: what is accepted, what is refused and with which status, and that nothing
 * depends on how the bytes are cut. Each conversation is sent whole and byte by byte.
 */
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { within } from './harness/events.ts'
import { runProgram } from './harness/programs.ts'
import { type Service, visitorAddress } from './harness/service.ts'
import { dial, type Listening, listenTcp } from './harness/sockets.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { describeWith, programPath } from './requirements.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
/** By path. */
const answers: Readonly<Record<string, string>> = {
  '/ok': ok,
  '/chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n',
  '/304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n',
  '/head': 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
  '/426': 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nnope',
  '/huge': ok.replace('\r\n', `\r\nX: ${'h'.repeat(100_000)}\r\n`),
  '/1.0': ok.replace('HTTP/1.1 200 OK', 'HTTP/1.0 200 OK\r\nConnection: keep-alive'),
  '/101': `${switching}raw`,
  '/both': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  '/lf': ok.replaceAll('\r\n', '\n'),
  '/close': ok.replace('\r\n', '\r\nConnection: close\r\n'),
}
const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'

let service: Service
let agent: Agent
let upstream: Listening
let url: URL

/** Answers each request by its path; its body is read as the head says. */
function serve(socket: Socket): void {
  let text = ''
  let isAsked = false
  socket.on('end', () => socket.end())
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    for (;;) {
      const [head = ''] = /^.*?\r\n\r\n/s.exec(text) ?? []
      if (head === '') return
      if (/expect: 100-continue/i.test(head) && !isAsked) socket.write(goOn)
      isAsked = true
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      const body = /chunked/i.test(head)
        ? /(?:^|\r\n)0\r\n(?:[^\r]+\r\n)*\r\n/.exec(text.slice(head.length))
        : undefined
      const bytes = body === undefined ? length : (body?.index ?? Infinity) + (body?.[0].length ?? 0)
      if (text.length < head.length + bytes) return
      text = text.slice(head.length + bytes)
      isAsked = false
      const path = /^\S+ (?:https?:\/\/[^/ ]*)?([^? ]*)/.exec(head)?.[1] ?? ''
      socket.write(answers[path] ?? '', 'latin1')
      if (path === '/close') socket.end()
    }
  })
}

beforeAll(async () => {
  upstream = await listenTcp(serve)
  service = await startStandaloneService()
  agent = await startAgent(service, { web: { kind: 'http', upstream: upstream.port } })
  url = new URL(await agent.online('web'))
})
afterAll(async () => {
  await agent?.stop()
  await service?.stop()
  await upstream?.close()
})

/** Reads until `isEnough` is true, or to the end. */
async function converse(
  text: string,
  isSplit: boolean,
  isEnough: (heard: string) => boolean,
): Promise<string> {
  const socket = await dial(visitorAddress(service, url.href))
  let heard = ''
  const enough = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      if (isEnough(heard)) resolve()
    })
    for (const event of ['end', 'error', 'close']) socket.once(event, () => resolve())
  })
  if (!isSplit) socket.write(text, 'latin1')
  else for (const byte of text) await new Promise((resolve) => socket.write(byte, 'latin1', resolve))
  await within(enough, 'an answer')
  socket.destroy()
  return heard
}

const get = (path: string, fields = '', start = 'GET') =>
  `${start} ${path} HTTP/1.1\r\nHost: {host}\r\n${fields}\r\n`
const old = (text: string) => text.replace(' HTTP/1.1', ' HTTP/1.0')
const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
const other = get('/ok').replace('{host}', 'other.test')
const body = 'Content-Length: 3\r\n'
const chunked = 'Transfer-Encoding: chunked\r\n'

describe('understood', () => {
  test.each([
    ['requests without waiting', get('/ok') + get('/chunks') + get('/ok'), ['/ok', '/chunks', '/ok']],
    ['HEAD, and what follows', get('/head', '', 'HEAD') + get('/ok'), ['/head', '/ok']],
    ['304 with a length, and what follows', get('/304') + get('/ok'), ['/304', '/ok']],
    [
      'a body in chunks with a trailer',
      `${get('/ok', chunked, 'POST')}3\r\nabc\r\n0\r\nX: y\r\n\r\n${get('/ok')}`,
      ['/ok', '/ok'],
    ],
    ['HTTP/1.0', old(get('/ok')), ['/ok']],
    ['HTTP/1.0 that goes on', old(get('/1.0', 'Connection: keep-alive\r\n')).repeat(2), ['/1.0', '/1.0']],
    ['an Upgrade that is refused with a body', get('/426', websocket) + get('/ok'), ['/426', '/ok']],
    ['an Upgrade', `${get('/101', websocket)}frames`, ['/101']],
    ['an Upgrade behind a head of 100 KB', get('/huge') + get('/101', websocket), ['/huge', '/101']],
    ['an Upgrade behind chunks with a trailer', get('/chunks') + get('/101', websocket), ['/chunks', '/101']],
    ['empty lines before a request', `\r\n\r\n${get('/ok')}`, ['/ok']],
    ['bytes behind "close"', `${get('/close', 'Connection: close\r\n')}anything`, ['/close']],
    ['an absolute target in another case', get('http://{HOST}/ok'), ['/ok']],
    ['HTTP/1.0 without Host', 'GET http://{host}/ok HTTP/1.0\r\n\r\n', ['/ok']],
    ['UTF-8 in a target', get('/ok?caf\xc3\xa9'), ['/ok']],
    ['199 fields', get('/ok', 'X: a\r\n'.repeat(199)), ['/ok']],
  ])('%s', async (_, text, paths) => {
    const expected = paths.map((path) => answers[path]).join('')
    const bytes = text.replaceAll('{host}', url.host).replaceAll('{HOST}', url.host.toUpperCase())
    for (const isSplit of [false, true])
      expect(await converse(bytes, isSplit, (heard) => heard.length >= expected.length)).toBe(expected)
  })

  test('100-continue: the upstream says it, before the body or behind it', async () => {
    const text = `${get('/ok', `Expect: 100-continue\r\n${body}`, 'POST')}abc`.replace('{host}', url.host)
    for (const isSplit of [false, true])
      expect(await converse(text, isSplit, (heard) => heard.endsWith('ok'))).toBe(goOn + ok)
  })
})

describe('refused', () => {
  test.each([
    ['LF alone', get('/ok').replaceAll('\r\n', '\n'), 400],
    ['a folded line', get('/ok', 'X: a\r\n b\r\n'), 400],
    ['a length and chunks', `${get('/ok', body + chunked, 'POST')}0\r\n\r\n`, 400],
    ['two lengths', `${get('/ok', body + body, 'POST')}abc`, 400],
    ['another coding', get('/ok', 'Transfer-Encoding: gzip, chunked\r\n', 'POST'), 501],
    ['CONNECT', 'CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n', 501],
    ['no Host', 'GET /ok HTTP/1.1\r\n\r\n', 400],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['201 fields', get('/ok', 'X: a\r\n'.repeat(201)), 431],
    ['a head of 70 KB', get('/ok', `X: ${'a'.repeat(70_000)}\r\n`), 431],
  ])('%s', async (_, text, status) => {
    const bytes = text.replaceAll('{host}', url.host)
    // A long one is not sent byte by byte: that takes half a second for each ten thousand bytes.
    for (const isSplit of bytes.length < 5_000 ? [false, true] : [false])
      expect(await converse(bytes, isSplit, () => false)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  test.each([
    ['/ok', true],
    ['/chunks', true],
    ['/304', true],
    ['/huge', true],
    ['/close', false],
  ])('another host behind %s: a page after the answer is %s', async (path, hasPage) => {
    const bytes = get(path).replace('{host}', url.host) + other
    for (const isSplit of [false, true]) {
      const heard = await converse(bytes, isSplit, () => false)
      const answer = answers[path] ?? ''
      expect(heard.slice(0, answer.length)).toBe(answer)
      expect(/^HTTP\/1\.1 421 /.test(heard.slice(answer.length))).toBe(hasPage)
      if (!hasPage) expect(heard).toBe(answer)
    }
  })

  test.each(['/both', '/lf'])('after %s the connection ends without a page', async (path) => {
    const socket = await dial(visitorAddress(service, url.href))
    let heard = ''
    socket.write(get(path).replace('{host}', url.host))
    const ended = new Promise((resolve) => socket.once('end', resolve))
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      if (heard === answers[path]) socket.write(other)
    })
    await within(ended, 'the end')
    expect(heard).toBe(answers[path])
    socket.destroy()
  })
})

describeWith(['curl'], 'curl', () => {
  test.each([
    ['/ok', [], 'ok 200'],
    ['/head', ['-I', '-o', '/dev/null'], '200'],
    ['/ok', ['--http1.0'], 'ok 200'],
    ['/ok', ['-H', 'Transfer-Encoding: chunked', '-d', 'abc'], 'ok 200'],
    ['/ok', ['-H', 'Expect: 100-continue', '-d', 'abc'], 'ok 200'],
    ['/ok', ['--http2'], 'ok 200'],
    ['/huge', [], 'ok 200'],
    ['/chunks', [], 'ok 200'],
  ])('%s %j', async (path, options, said) => {
    const { host, port } = visitorAddress(service, url.href)
    const args = [
      '-sS',
      '--max-time',
      '20',
      '-w',
      ' %{http_code}',
      '--resolve',
      `${url.hostname}:${port}:${host}`,
    ]
    const { stdout, exit } = await runProgram(programPath('curl'), [...args, ...options, url.origin + path])
    expect(exit.code).toBe(0)
    expect(stdout.trim().split('\r\n\r\n').at(-1)?.trim()).toBe(said)
  })
})

import { createServer as createTcp } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { get } from '../testing/gate-rig.ts'
import { post, settled, useInspectorRigs } from '../testing/inspector-rig.ts'
import { viewBody } from './body-view.ts'
import { hiddenText } from './redaction.ts'

const open = useInspectorRigs()
const echo: Parameters<typeof open>[0] = (request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('set-cookie', 'sid=secret-cookie; HttpOnly')
    const body = Buffer.concat(parts).toString()
    response.end(JSON.stringify({ url: request.url, headers: request.headers, body }))
  })
}

test('however many come, all are answered, and what is kept stays within its bounds', async () => {
  const limits = { bytes: 200_000, requests: 100, pinnedBytes: 50_000, pinned: 10 }
  const { inspector, visit } = await open((_request, response) => response.end('x'.repeat(2_000)), {}, limits)
  const { ring } = inspector.recorder
  const visitors = Array.from({ length: 20 }, () => visit())
  for (let n = 0; n < 50; n++) for (const visitor of visitors) visitor.ask(get(`X-Number: ${n}\r\n`))
  const answers = () => visitors.map(({ heard }) => heard.split('HTTP/1.1 200 OK').length - 1)
  await expect
    .poll(() => answers().every((count) => count === 50), { timeout: 20_000, interval: 5 })
    .toBe(true)
  expect(inspector.recorder.lastId).toBe(1_000)
  expect(ring.bytes).toBeLessThanOrEqual(limits.bytes)
  expect(ring.size).toBeLessThanOrEqual(limits.requests)
  expect(ring.bytes).toBe(ring.newest().reduce((sum, { charged }) => sum + charged, 0))
})

describe('a request through an http tunnel', () => {
  test('is recorded with its answer, both as the visitor sees them, and with times in their order', async () => {
    const { ask } = await open(echo)
    const entry = await ask(post('/hook?x=1', '{"a":1}', 'Content-Type: application/json\r\n'))
    expect(entry.summary(false)).toMatchObject({
      id: 1,
      tunnel: 'web',
      visitor: '192.0.2.7:4711',
      method: 'POST',
      host: 'web.test',
      target: '/hook?x=1',
      status: 200,
      type: 'application/json',
      requestBytes: 7,
    })
    expect(entry.request.isWhole && entry.answer?.isWhole).toBe(true)
    expect(entry.request.body.bytes.toString()).toBe('{"a":1}')
    const { asked = 0, connected = 0, answered = 0, ended = 0 } = entry.marks
    expect([asked, connected, answered, ended]).toEqual(
      [asked, connected, answered, ended].toSorted((a, b) => a - b),
    )
  })

  test('passes byte for byte, whether somebody looks or not', async () => {
    const { visit, inspector } = await open((_request, response) => response.end('x'.repeat(100_000)))
    const visitor = visit()
    visitor.ask(get('Connection: close\r\n'))
    await settled(inspector, 1)
    await expect.poll(() => visitor.isOver, { timeout: 5_000 }).toBe(true)
    expect(visitor.heard.endsWith('x'.repeat(100_000))).toBe(true)
  })

  test('several on one connection, sent at once, each get their own answer', async () => {
    const { visit, inspector } = await open((request, response) => response.end(request.url))
    visit().ask(get('', '/one') + get('', '/two') + post('/three', 'abc'))
    await settled(inspector, 3)
    const bodies = [1, 2, 3].map((id) => inspector.entry(id).answer?.body.bytes.toString())
    expect(bodies).toEqual(['/one', '/two', '/three'])
  })

  test('a chunked request is kept without its chunks', async () => {
    const { ask } = await open(echo)
    const chunked =
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n'
    expect((await ask(chunked)).request.body.bytes.toString()).toBe('abcde')
  })

  test('a packed answer is shown unpacked', async () => {
    const { ask } = await open((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' })
      response.end(gzipSync('hello '.repeat(1_000)))
    })
    const entry = await ask(get())
    if (!entry.answer) throw new Error('no answer')
    expect(await viewBody(entry.answer)).toMatchObject({ kind: 'text', bytes: 6_000, codings: ['gzip'] })
  })

  test('what breaks off says why', async () => {
    const { ask } = await open((request) => request.socket.destroy())
    expect((await ask(get())).summary(false)).toMatchObject({ failure: 'unanswered' })
  })

  test('an answer that is no HTTP ends the reading and not the connection', async () => {
    const raw = createTcp((socket) => socket.on('error', () => {}).end('nonsense\r\n\r\n'))
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve))
    const { port } = raw.address() as { port: number }
    const { visit, inspector } = await open(echo, { upstream: { host: '127.0.0.1', port } })
    const visitor = visit()
    visitor.ask(get())
    await settled(inspector, 1)
    await expect.poll(() => visitor.heard, { timeout: 5_000 }).toBe('nonsense\r\n\r\n')
    raw.close()
  })
})

describe('secrets', () => {
  const secretRequest = post(
    '/in?token=topsecret&page=2',
    'x',
    'Authorization: Bearer topsecret\r\nCookie: sid=topsecret; theme=topsecret\r\nX-Api-Key: topsecret\r\n',
  )

  test('are nowhere in what is shown', async () => {
    const { ask } = await open((_request, response) => {
      response.setHeader('set-cookie', 'sid=topsecret; Path=/')
      response.setHeader('location', '/next?code=topsecret')
      response.end()
    })
    const entry = await ask(secretRequest)
    const shown = JSON.stringify([entry.detail(false), entry])
    expect(shown).not.toContain('topsecret')
    expect(entry.target).toBe(`/in?token=${hiddenText}&page=2`)
    expect(entry.hidden).toBe(4)
    expect(entry.request.header('authorization')).toBe(`Bearer ${hiddenText}`)
  })

  test('go with a replay as they came, and the answer says how many', async () => {
    const { ask, inspector } = await open(echo)
    const entry = await ask(secretRequest)
    const { ids, revealed } = inspector.replays.send(entry, {})
    expect({ ids, revealed }).toEqual({ ids: [2], revealed: 4 })
    const replay = await settled(inspector, 2)
    expect(replay.answer?.body.bytes.toString()).toContain('Bearer topsecret')
    expect(replay.origin.replayOf).toBe(1)
  })

  test('a changed line is sent as it was changed, and one half changed is refused', async () => {
    const { ask, inspector } = await open(echo)
    const entry = await ask(secretRequest)
    const headers = entry.request.headers.map(([name, value]) =>
      name === 'X-Api-Key' ? ([name, 'mine'] as const) : ([name, value] as const),
    )
    inspector.replays.send(entry, { headers, target: '/other', body: 'new' })
    const replay = await settled(inspector, 2)
    const got = JSON.parse(replay.answer?.body.bytes.toString() ?? '{}')
    expect(got).toMatchObject({
      url: '/other',
      body: 'new',
      headers: { 'x-api-key': 'mine', cookie: 'sid=topsecret; theme=topsecret' },
    })
    expect(() =>
      inspector.replays.send(entry, {
        headers: [
          ['Host', 'a'],
          ['X-Api-Key', `${hiddenText}x`],
        ],
      }),
    ).toThrow(/PT-6092/)
  })
})

describe('replays', () => {
  test('go through the rules of the tunnel, and each is recorded', async () => {
    const { ask, inspector } = await open(echo, { requests: { logins: [], host: 'inner.test' } })
    const entry = await ask(get())
    inspector.replays.send(entry, { times: 20 })
    await expect.poll(() => inspector.recorder.lastId, { timeout: 5_000, interval: 2 }).toBe(21)
    const last = await settled(inspector, 21)
    expect(last.answer?.body.bytes.toString()).toContain('inner.test')
  })

  test.each([
    [{ method: 'GET /' }, 'no method'],
    [{ target: '/a b' }, 'spaces'],
    [{ target: 'http://other.test/' }, 'begins with /'],
    [
      {
        headers: [
          ['Host', 'a'],
          ['X', 'a\r\nY: b'],
        ],
      },
      'letters',
    ],
    [{ headers: [['Host: x', 'a']] }, 'name of a header'],
    [{ headers: [['X', 'a']] }, 'look at Host'],
    [
      {
        headers: [
          ['Host', 'a'],
          ['Upgrade', 'websocket'],
        ],
      },
      'WebSocket',
    ],
  ] as const)('%j is refused: %s', async (wish, why) => {
    const { ask, inspector } = await open(echo)
    const entry = await ask(get())
    expect(() => inspector.replays.send(entry, wish)).toThrow(why)
  })

  test('a body with a request in it stays a body', async () => {
    const { ask, inspector } = await open(echo)
    const entry = await ask(post('/', 'x'))
    const headers = [
      ['Host', 'a'],
      ['Content-Length', '0'],
      ['Transfer-Encoding', 'chunked'],
    ] as const
    inspector.replays.send(entry, { headers, body: get('', '/hidden') })
    await settled(inspector, 2)
    expect(inspector.recorder.lastId).toBe(2)
    expect(inspector.entry(2).answer?.body.bytes.toString()).toContain('/hidden')
  })

  test('the last request of a visitor is sent again, not the last replay', async () => {
    const { ask, inspector } = await open(echo)
    expect(() => inspector.resendLast()).toThrow(/PT-6091/)
    await ask(get('', '/first'))
    expect(inspector.resendLast('web')).toBe(2)
    await settled(inspector, 2)
    expect(inspector.resendLast()).toBe(3)
    expect((await settled(inspector, 3)).origin.replayOf).toBe(1)
    expect(() => inspector.resendLast('other')).toThrow(/PT-6091/)
  })
})

import { constants } from 'node:http2'
import { Budget } from '@porttunneler/shared/mux/budget'
import { limits } from '@porttunneler/shared/protocol/limits'
import { describe, expect, test } from 'vitest'
import { answer, type Rig, say, useRigs } from '../../testing/http-rig.ts'
import { type Answered, ask, asked, over, when } from '../../testing/http2-visitor.ts'
import { HeldBodies } from './held-bodies.ts'

const startRigs = useRigs()
const startRig: typeof startRigs = (settings) => startRigs({ isHttp2: true, ...settings })

/** The upstream at `index` gets the request for `path`, and answers. */
async function serve(rig: Rig, index: number, path: string): Promise<void> {
  const upstream = await rig.upstream(index)
  await asked(upstream, path)
  say(upstream, answer(path))
}

/** Requests side by side, each with a stream of its own. */
async function askAll(rig: Rig, paths: readonly string[]): Promise<readonly Answered[]> {
  const client = rig.connect()
  const calls = paths.map((path) => ask(client, { ':path': path }))
  await rig.upstream(paths.length - 1)
  for (const [index, path] of paths.entries()) await asked(await rig.upstream(index), path)
  return calls
}

const six = ['/0', '/1', '/2', '/3', '/4', '/5']

describe('http/2 visitor: streams towards the agent', () => {
  test('a seventh request takes the first stream that is free, and otherwise gets its own after 50 ms', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const calls = six.map((path) => ask(client, { ':path': path }))
    await rig.upstream(5)
    for (const [index, path] of six.entries()) await asked(await rig.upstream(index), path)
    const seventh = ask(client, { ':path': '/6' })
    const eighth = ask(client, { ':path': '/7' })
    await when(() => rig.clock.pending >= 2)
    say(await rig.upstream(2), answer('/2'))
    await asked(await rig.upstream(2), '/6')
    expect(rig.upstreams).toHaveLength(6)
    rig.clock.advance(50)
    await asked(await rig.upstream(6), '/7')
    say(await rig.upstream(2), answer('/6'))
    await serve(rig, 6, '/7')
    expect(await over(seventh)).toMatchObject({ text: '/6' })
    expect(await over(eighth)).toMatchObject({ text: '/7' })
    expect((await over(calls[2] as Answered)).text).toBe('/2')
    // The rates of visitors count the connection once.
    expect(rig.known).toEqual([false, true, true, true, true, true, true])
  })

  test('a stream is used again for four seconds, and for one if the request may not be repeated', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const get = async (index: number, path: string, method = 'GET') => {
      const call = ask(client, { ':path': path, ':method': method })
      await serve(rig, index, path)
      expect(await over(call)).toMatchObject({ text: path })
    }
    await get(0, '/0')
    rig.clock.advance(999)
    await get(0, '/1', 'POST')
    rig.clock.advance(1_000)
    await get(1, '/2', 'POST')
    rig.clock.advance(2_999)
    await get(1, '/3')
    rig.clock.advance(1)
    const first = await rig.upstream(0)
    await first.heard.until(() => first.heard.hasFin)
    first.stream.end()
    await when(() => rig.closedTotal === 1)
    rig.clock.advance(4_000)
    const second = await rig.upstream(1)
    await second.heard.until(() => second.heard.hasFin)
    expect(rig.upstreams).toHaveLength(2)
  })

  test('a used stream that ends in the same moment costs a repeatable request nothing', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const first = ask(client, { ':path': '/0' })
    await serve(rig, 0, '/0')
    await over(first)
    const second = ask(client, { ':path': '/1' })
    await asked(await rig.upstream(0), '/1')
    ;(await rig.upstream(0)).stream.reset('upstream.failed')
    await serve(rig, 1, '/1')
    expect(await over(second)).toMatchObject({ status: 200, text: '/1' })
    // Another one may have had its effect.
    const post = ask(client, { ':path': '/2', ':method': 'POST' })
    await asked(await rig.upstream(1), '/2')
    ;(await rig.upstream(1)).stream.reset('upstream.failed')
    expect(await over(post)).toMatchObject({ status: 502 })
    expect(rig.upstreams).toHaveLength(2)
  })

  test('no stream is used again after `Connection: close`, or when more came than was asked for', async () => {
    const rig = await startRig()
    const client = rig.connect()
    for (const [index, fields] of ['Connection: close\r\n', ''].entries()) {
      const call = ask(client, { ':path': `/${index}` })
      const upstream = await rig.upstream(index)
      await asked(upstream, `/${index}`)
      say(upstream, `HTTP/1.1 200 OK\r\n${fields}Content-Length: 1\r\n\r\nx${index === 1 ? 'HTTP' : ''}`)
      expect(await over(call)).toMatchObject({ text: 'x' })
    }
    const last = ask(client, { ':path': '/2' })
    await serve(rig, 2, '/2')
    expect(await over(last)).toMatchObject({ text: '/2' })
  })

  test('where the tunnel admits no more streams, requests wait for one of their connection', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const first = ask(client, { ':path': '/0' })
    await asked(await rig.upstream(0), '/0')
    rig.refusal = 'tunnel.limit'
    const second = ask(client, { ':path': '/1' })
    const third = ask(client, { ':path': '/2' })
    await when(() => rig.connections.length === 1 && third.stream.id !== undefined)
    say(await rig.upstream(0), answer('/0'))
    await serve(rig, 0, '/1')
    await serve(rig, 0, '/2')
    for (const call of [first, second, third]) expect(await over(call)).toMatchObject({ status: 200 })
    // Alone, a request is told.
    const later = rig.connect()
    expect(await over(ask(later, { ':path': '/3' }))).toMatchObject({ status: 503 })
  })
})

describe('http/2 visitor: time', () => {
  test('a connection without a request ends after ten seconds', async () => {
    const rig = await startRig()
    const client = rig.connect()
    await when(() => rig.connections.length === 1)
    rig.clock.advance(limits.headDeadlineMs)
    await when(() => client.closed)
    expect(rig.connections[0]?.isUnasked).toBe(true)
  })

  test('an idle connection ends after five minutes, a request without an answer with a page', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const call = ask(client, { ':path': '/' })
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    for (let look = 0; look < 5; look++) rig.clock.advance(limits.httpIdleMs / 4)
    expect(await over(call)).toMatchObject({ status: 504 })
    expect(client.closed).toBe(false)
    for (let look = 0; look < 4; look++) rig.clock.advance(limits.httpIdleMs / 4)
    await when(() => client.closed)
  })

  test('a body that stands still is the visitor’s doing; an answer that stands still is cut', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const late = ask(client, { ':path': '/0', ':method': 'POST' }, { isOpen: true })
    late.stream.write('x')
    const cut = ask(client, { ':path': '/1' })
    await asked(await rig.upstream(0), '/0')
    const upstream = await rig.upstream(1)
    await asked(upstream, '/1')
    say(upstream, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
    await when(() => cut.text === 'half')
    for (let look = 0; look < 5; look++) rig.clock.advance(limits.httpIdleMs / 4)
    expect(await over(late)).toMatchObject({ status: 408 })
    expect((await over(cut)).code).toBe(constants.NGHTTP2_INTERNAL_ERROR)
  })

  test('when the relay leaves, requests end in order and new ones go elsewhere', async () => {
    const rig = await startRig()
    const client = rig.connect()
    const call = ask(client, { ':path': '/' })
    const upstream = await rig.upstream()
    await asked(upstream, '/')
    rig.connections[0]?.startLeaving()
    await when(() => client.closed)
    say(upstream, answer('the last'))
    expect(await over(call)).toMatchObject({ text: 'the last', code: 0 })
    await when(() => client.destroyed)
  })
})

describe('http/2 visitor: shares', () => {
  test('while its address rests, a connection begins no request and reads no body', async () => {
    let rest: (isWaiting: boolean) => void = () => {}
    const rig = await startRig({
      more: {
        work: (_visitor, worker) => {
          rest = (isWaiting) => worker.setWaiting(isWaiting)
          return undefined
        },
      },
    })
    const client = rig.connect()
    const body = ask(client, { ':path': '/0', ':method': 'POST' }, { isOpen: true })
    const upstream = await rig.upstream(0)
    await asked(upstream, '/0')
    rest(true)
    body.stream.write('waits')
    const call = ask(client, { ':path': '/1' })
    const pinged = Promise.withResolvers<void>()
    client.ping(() => pinged.resolve())
    await pinged.promise
    expect(rig.upstreams).toHaveLength(1)
    expect(upstream.heard.bytes.includes('waits')).toBe(false)
    rest(false)
    await upstream.heard.until(() => upstream.heard.bytes.includes('waits'))
    await serve(rig, 1, '/1')
    expect(await over(call)).toMatchObject({ text: '/1' })
  })

  test('a network that takes back too many requests loses its connection', async () => {
    let left = 2
    const rig = await startRig({ more: { mayTakeBack: () => left-- > 0 } })
    const calls = await askAll(rig, six.slice(0, 3))
    for (const call of calls) call.stream.close(constants.NGHTTP2_CANCEL)
    await when(() => rig.refused.includes('http.taken_back'))
    const client = calls[0]?.stream.session
    await when(() => client === undefined || client.destroyed)
  })

  test('a body for which there is no memory is refused, and gives back nothing that it did not take', async () => {
    const memory = new HeldBodies(new Budget(2 * 256 * 1024, undefined, { isFair: true }))
    const rig = await startRig({ more: { memory } })
    rig.isHungry = false
    const client = rig.connect()
    const full = ask(client, { ':path': '/0', ':method': 'POST' }, { isOpen: true })
    full.stream.write(Buffer.alloc(1_000_000))
    await rig.upstream()
    await when(() => memory.usedBytes > 0)
    expect(await over(ask(client, { ':path': '/1', ':method': 'POST' }, { isOpen: true }))).toMatchObject({
      status: 503,
    })
    client.destroy()
    await when(() => memory.usedBytes === 0)
  })
})

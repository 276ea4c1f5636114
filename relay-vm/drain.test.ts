import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { readAll, type TestAgent, TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

/** A relay with one visitor in the middle of a conversation. */
async function startTalk(changes: Record<string, unknown>) {
  const { relay, ports } = await bench.startRelay(changes)
  const upstreams: Socket[] = []
  const upstreamPort = await bench.startUpstream((socket) => {
    upstreams.push(socket)
    socket.write('welcome')
  })
  const port = await freePort()
  const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
  const agent = await bench.dial(ports, { ticket, upstreamPort })
  await agent.bind(1, ticket)
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  // Most of these tests end with a reset of the visitor.
  visitor.on('error', () => {})
  await once(visitor, 'data')
  const upstream = upstreams[0] as Socket
  return { relay, ports, port, agent, visitor, upstream, upstreams, upstreamPort, ticket }
}

describe('drain', () => {
  test('a running stream finishes, no new visitor comes in, and the last usage is reported', async () => {
    const { relay, ports, port, agent, visitor, upstream } = await startTalk({ graceMs: 30_000 })
    const drained = relay.drain()
    expect(await agent.heard('goAway')).toMatchObject({ code: 'PT-3020' })
    const [error] = await once(connect(port, '127.0.0.1'), 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    expect((await fetch(`http://127.0.0.1:${ports.adminPort}/readyz`)).status).toBe(503)
    expect((await fetch(`http://127.0.0.1:${ports.adminPort}/healthz`)).status).toBe(200)
    upstream.end(' and goodbye')
    visitor.end('thanks')
    expect(await readAll(visitor)).toBe(' and goodbye')
    await drained
    expect(relay.phase).toBe('closed')
    const last = control.requests.at(-1)
    expect(last?.state).toBe('draining')
    expect(last?.usage).toMatchObject([{ in: 6, out: 19, opened: 1 }])
  })

  test('idle keep-alive connections end at once, running answers in full, and then it waits for nothing', async () => {
    const { relay, ports } = await bench.startRelay({ graceMs: 60_000 })
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    const upstreams: Socket[] = []
    const upstreamPort = await bench.startUpstream((socket) => {
      upstreams.push(socket)
      socket.once('data', () => socket.write(`${answer}he`)).once('end', () => socket.end())
    })
    const ticket = await control.ticket({ kind: 'http', endpoint: 'host:a.tunnels.test' })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const visit = async () => {
      const socket = connect(ports.httpPort, '127.0.0.1')
      socket.write('GET / HTTP/1.1\r\nHost: a.tunnels.test\r\n\r\n')
      await once(socket, 'data')
      return { socket, rest: readAll(socket) }
    }
    const idle = await visit()
    upstreams[0]?.write('llo')
    const busy = await visit()
    const startedMs = performance.now()
    const drained = relay.drain()
    expect(await idle.rest).toBe('llo')
    expect(relay.phase).toBe('draining')
    upstreams[1]?.write('llo')
    expect(await busy.rest).toBe('llo')
    await drained
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect(control.requests.flatMap(({ usage }) => usage).at(-1)).toMatchObject({ opened: 2 })
  })

  test('streams that outlive the grace period are reset, and their bytes are still reported', async () => {
    const { relay, agent, visitor } = await startTalk({ graceMs: 0 })
    const reset = once(visitor, 'error')
    await relay.drain()
    expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(await agent.heard('closed')).toMatchObject({ key: 'relay.draining' })
    // Either the report of the drain itself or the last one; one of them came after the reset.
    const reported = control.requests.flatMap(({ usage }) => usage)
    expect(reported).toContainEqual(expect.objectContaining({ out: 7 }))
  })

  test('a second signal ends the grace period at once', async () => {
    const { relay } = await startTalk({ graceMs: 600_000 })
    const hurry = new AbortController()
    const drained = relay.drain({ signal: hurry.signal })
    hurry.abort()
    await drained
    expect(relay.phase).toBe('closed')
  })

  test('an agent that comes during the drain is told to try again', async () => {
    const { relay, ports } = await startTalk({ graceMs: 600_000 })
    const hurry = new AbortController()
    const drained = relay.drain({ signal: hurry.signal })
    const ticket = await control.ticket({ endpoint: 'tcp:c1:1' })
    await expect(bench.dial(ports, { ticket })).rejects.toMatchObject({
      key: 'relay.draining',
      fields: { retryAfterMs: expect.any(Number) },
    })
    hurry.abort()
    await drained
  })

  test('an agent that comes back to a relay that leaves opens no port there again', async () => {
    const { relay, port, agent } = await startTalk({ graceMs: 600_000 })
    const hurry = new AbortController()
    const drained = relay.drain({ signal: hurry.signal })
    await agent.heard('goAway')
    const { session } = agent
    for (const carrier of session.carriers) carrier.lose(fail('carrier.lost'))
    session.probe()
    // It says again what it has bound.
    while (agent.events.filter(({ kind }) => kind === 'bound').length < 2)
      await new Promise((resolve) => setImmediate(resolve))
    const [error] = await once(connect(port, '127.0.0.1'), 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    hurry.abort()
    await drained
  })

  test('usage that the control plane cannot take is kept and reported by the next process', async () => {
    const { relay } = await startTalk({ graceMs: 0 })
    control.isDown = true
    await relay.drain()
    control.isDown = false
    const boot = control.requests[0]?.boot.boot
    await bench.startRelay()
    const report = await control.synced(({ usage }) => usage.length > 0)
    expect(report.boot.boot).not.toBe(boot)
    expect(report.usage).toMatchObject([{ boot, out: 7, opened: 1 }])
  })

  test('with a successor at the same ports no visitor is refused: agents move first, then the relay ends', async () => {
    const { at, adminPort } = await onePlace()
    const { relay, port, agent, visitor, upstreams, upstreamPort, ticket } = await startTalk({
      ...at('a'),
      graceMs: 30_000,
    })
    const next = await bench.startRelay(at('b'))
    const drained = relay.drain({ hasSuccessor: true })
    expect(await agent.heard('goAway')).toMatchObject({ code: 'PT-3029' })
    for (let count = 0; count < 8; count++) await greeted(port)
    expect(agent.visitors.length, 'it serves them still').toBe(9)
    const moved = await dialSuccessor(next.ports, { ticket, upstreamPort })
    await moved.bind(1, ticket)
    agent.session.unbind(1)
    for (let count = 0; count < 8; count++) await greeted(port)
    expect(agent.visitors.length + moved.visitors.length).toBe(17)
    expect(moved.visitors).not.toEqual([])
    expect((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status, 'of the successor').toBe(200)
    for (const upstream of upstreams) upstream.end(' and goodbye')
    visitor.end()
    expect(await readAll(visitor)).toBe(' and goodbye')
    await drained
    expect(control.requests.findLast(({ boot }) => boot.instance === 'a')).toMatchObject({ last: true })
  })

  test('an agent whose connections break while its relay is replaced comes back to it through the successor', async () => {
    const { at } = await onePlace()
    const { relay, agent, visitor, upstream } = await startTalk({ ...at('a'), graceMs: 600_000 })
    await bench.startRelay(at('b'))
    const { session } = agent
    const breakAndTalk = async (word: string) => {
      for (const carrier of session.carriers) carrier.lose(fail('carrier.lost'))
      const heard = once(visitor, 'data')
      upstream.write(word)
      expect(String((await heard)[0])).toBe(word)
    }
    // The kernel gives about every second dial to the successor.
    for (let count = 0; count < 4; count++) await breakAndTalk(`both listen ${count}`)
    const drained = relay.drain({ hasSuccessor: true })
    await agent.heard('goAway')
    for (let count = 0; count < 4; count++) await breakAndTalk(`the old one leaves ${count}`)
    session.unbind(1)
    upstream.end(' and goodbye')
    visitor.end()
    expect(await readAll(visitor)).toBe(' and goodbye')
    await drained
  })
})

/** Where two relays of one machine take turns. */
async function onePlace() {
  const [httpPort, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()]
  const host = '127.0.0.1'
  const at = (turn: string) => ({
    instance: turn,
    dataDir: join(bench.dataDir, turn),
    tlsDir: join(bench.dataDir, 'tls'),
    listen: {
      tls: { host, port: tlsPort },
      http: { host, port: httpPort },
      tcpHost: host,
      admin: { host, port: adminPort },
      siblings: join(bench.dataDir, 'siblings'),
    },
  })
  return { at, adminPort }
}

/** Dials as agents do: an agent that still reaches the leaving relay, at the port that both share, tries again. */
async function dialSuccessor(...[ports, options]: Parameters<TestBench['dial']>): Promise<TestAgent> {
  for (;;) {
    try {
      return await bench.dial(ports, options)
    } catch (error) {
      if (!isFailure(error) || error.key !== 'relay.draining') throw error
    }
  }
}

/** Connects, gets WELCOME, and disconnects. */
async function greeted(port: number): Promise<void> {
  // Real visitors are in another process. A visitor dialled here, while this process handles its reads, would come
  // after the listener's last look for visitors, in each turn of the loop; a timer makes it come before.
  await new Promise<void>((resolve) => void systemClock.after(0, resolve))
  const visitor = connect({ port, host: '127.0.0.1' })
  expect(String((await once(visitor, 'data'))[0])).toBe('welcome')
  visitor.destroy()
}

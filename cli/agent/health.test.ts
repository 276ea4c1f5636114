import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { codes, fail } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, describe, expect, test } from 'vitest'
import { http2Server } from '../testing/http2-rig.ts'
import type { AgentEvent } from './events.ts'
import { HealthChecks } from './health.ts'
import { type HealthCheck, newTunnel, statusOf, type WantedTunnel } from './tunnels.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A program on this machine that treats every connection with `serve`. */
async function upstream(
  serve: (socket: Socket) => void,
  port = 0,
): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    serve(socket)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

/** Answers every request head with `line` and records the heads. */
async function web(line: () => string): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = []
  const { port } = await upstream((socket) => {
    let head = ''
    socket.on('data', (chunk) => {
      head += String(chunk)
      if (!head.endsWith('\r\n\r\n')) return
      heads.push(head)
      socket.end(`${line()}\r\ncontent-length: 0\r\n\r\n`)
    })
  })
  return { port, heads }
}

function check(port: number, health: HealthCheck, more: Partial<WantedTunnel> = {}) {
  const clock = new FakeClock()
  const events: AgentEvent[] = []
  let wake = () => {}
  const emit = (event: AgentEvent) => {
    events.push(event)
    wake()
  }
  const tunnel = newTunnel(1, {
    name: 'web',
    kind: 'http',
    upstream: { host: '127.0.0.1', port },
    health,
    ...more,
  })
  const checks = new HealthChecks({ clock, tunnels: [tunnel], emit })
  closers.push(() => checks.close())
  checks.start()
  return {
    clock,
    tunnel,
    checks,
    emit,
    events,
    /** Runs due checks until `count` events have been reported. */
    told: async (count: number) => {
      while (events.length < count) {
        const told = new Promise<void>((resolve) => {
          wake = resolve
        })
        // The test's own step: between two, the sockets of a check get their turn.
        const turn = new Promise<void>((resolve) => setImmediate(resolve))
        await Promise.race([told, turn])
        if (events.length < count) clock.advance(100)
      }
      return events
    },
  }
}

const tcp: HealthCheck = { kind: 'tcp', everyMs: 10_000 }
const http: HealthCheck = { kind: 'http', everyMs: 10_000, path: '/healthz' }

describe('health checks', () => {
  test('by TCP: healthy while it takes connections, unhealthy when it is gone, healthy when it is back', async () => {
    const { server, port } = await upstream((socket) => socket.resume(), await freePort())
    const { told, tunnel } = check(port, tcp)
    expect(statusOf(tunnel)).toMatchObject({ health: 'unknown' })
    await told(1)
    expect(statusOf(tunnel)).toMatchObject({ health: 'healthy' })
    expect(statusOf(tunnel).problem).toBeUndefined()
    await new Promise((resolve) => server.close(resolve))
    const [, lost] = await told(2)
    expect(lost).toMatchObject({ event: 'upstream.unhealthy', tunnel: 'web', problem: { code: 'PT-6040' } })
    expect(statusOf(tunnel)).toMatchObject({ health: 'unhealthy', problem: { code: 'PT-6040' } })
    await upstream((socket) => socket.resume(), port)
    expect((await told(3)).map(({ event }) => event)).toEqual([
      'upstream.healthy',
      'upstream.unhealthy',
      'upstream.healthy',
    ])
    expect(statusOf(tunnel).problem).toBeUndefined()
  })

  test('by HTTP: a GET of the path, and its answer is reported', async () => {
    let line = 'HTTP/1.1 204 No Content'
    const { port, heads } = await web(() => line)
    const { told } = check(port, http)
    await told(1)
    expect(heads[0]).toMatch(/^GET \/healthz HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/)
    line = 'HTTP/1.1 503 Service Unavailable'
    const [, sick] = await told(2)
    expect(sick).toMatchObject({
      event: 'upstream.unhealthy',
      problem: { code: 'PT-6046', detail: `127.0.0.1:${port} answered 503 to GET /healthz` },
    })
  })

  test('a single failure is not reported', async () => {
    let asked = 0
    const { port } = await web(() => (asked++ === 1 ? 'HTTP/1.1 500 Oh' : 'HTTP/1.1 200 OK'))
    const { told, clock, events } = check(port, http)
    await told(1)
    while (asked < 4) {
      clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events.map(({ event }) => event)).toEqual(['upstream.healthy'])
  })

  test.each([
    ['a redirect without a wanted status', 'HTTP/1.1 302 Found', undefined, 'upstream.healthy'],
    ['a wanted 401', 'HTTP/1.1 401 Unauthorized', 401, 'upstream.healthy'],
    ['200 where 401 is wanted', 'HTTP/1.1 200 OK', 401, 'upstream.unhealthy'],
    ['a status line without a reason', 'HTTP/1.0 200', undefined, 'upstream.healthy'],
    ['another protocol', 'SSH-2.0-OpenSSH', undefined, 'upstream.unhealthy'],
    ['a line without end', `HTTP/1.1 2${'0'.repeat(600)}`, undefined, 'upstream.unhealthy'],
  ])('%s', async (_name, line, status, event) => {
    const { port } = await web(() => line)
    const { told } = check(port, { ...http, ...(status !== undefined && { status }) })
    expect((await told(1))[0]?.event).toBe(event)
  })

  test('an upstream that accepts but stays silent is unhealthy after five seconds', async () => {
    const { port } = await upstream((socket) => socket.resume())
    const { told } = check(port, http)
    expect((await told(1))[0]).toMatchObject({ problem: { detail: expect.stringContaining('within 5 s') } })
  })

  test('an upstream that hangs up is unhealthy', async () => {
    const { port } = await upstream((socket) => socket.end())
    const { told } = check(port, http)
    expect((await told(1))[0]).toMatchObject({ problem: { detail: expect.stringContaining('closed') } })
  })

  test('if PROXY is expected, the check names nobody', async () => {
    const heads: string[] = []
    const { port } = await upstream((socket) => {
      socket.once('data', (chunk) => {
        heads.push(String(chunk))
        socket.end('HTTP/1.1 200 OK\r\n\r\n')
      })
    })
    const { told } = check(port, http, { proxyProtocol: 'v1' })
    await told(1)
    expect(heads[0]).toMatch(/^PROXY UNKNOWN\r\n/)
  })

  test('a passing check ends the failure that a visitor met', async () => {
    const { port } = await web(() => 'HTTP/1.1 200 OK')
    const { told, tunnel, clock } = check(port, http)
    await told(1)
    tunnel.upstreamFailure = fail('upstream.refused')
    clock.advance(http.everyMs)
    expect((await told(2))[1]).toMatchObject({ event: 'upstream.recovered', tunnel: 'web' })
    expect(statusOf(tunnel).problem).toBeUndefined()
  })

  test('closing leaves no timer', async () => {
    const { port } = await upstream((socket) => socket.resume())
    const { told, checks, clock } = check(port, tcp)
    await told(1)
    checks.close()
    expect(clock.pending).toBe(0)
    const asked = check(port, http)
    asked.checks.close()
    expect(asked.clock.pending).toBe(0)
  })

  test('an upstream that speaks HTTP/2 is asked in it', async () => {
    const asked: unknown[] = []
    let status = 200
    const { server, port } = await http2Server((stream, fields) => {
      asked.push(fields)
      stream.respond({ ':status': status }, { endStream: true })
    })
    closers.push(() => server.close())
    const health: HealthCheck = { kind: 'http', path: '/healthz', everyMs: 10_000 }
    const { told } = check(port, health, {
      upstreamProtocol: 'h2c',
      requests: { logins: [], host: 'a.test' },
    })
    expect(await told(1)).toMatchObject([{ event: 'upstream.healthy' }])
    expect(asked[0]).toEqual(expect.arrayContaining([':path', '/healthz', ':authority', 'a.test']))
    status = 503
    expect((await told(2))[1]).toMatchObject({
      event: 'upstream.unhealthy',
      problem: { detail: expect.stringContaining('answered 503 to GET /healthz') },
    })
    const plain = check((await web(() => 'HTTP/1.1 200 OK')).port, health, { upstreamProtocol: 'h2c' })
    expect((await plain.told(1))[0]).toMatchObject({ problem: { code: codes['upstream.no_http_two'].code } })
  })
})

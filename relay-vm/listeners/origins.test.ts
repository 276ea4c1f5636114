import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { limits } from '@porttunneler/shared/protocol/limits'
import { writeProxyHeader } from '@porttunneler/shared/protocol/proxy-header'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RelayOptions } from '../relay.ts'
import { makeTestControl, openPolicy, type TestControl } from '../testing/test-control.ts'
import { readAll, TestBench } from '../testing/test-relay.ts'

const ends = {
  sourceAddress: '192.0.2.7',
  sourcePort: 4_711,
  destinationAddress: '203.0.113.1',
  destinationPort: 443,
}
const header = writeProxyHeader('v2', ends)
const balancer = '127.0.0.2'
const visitor = { visitorAddress: '192.0.2.7', visitorPort: 4_711, localPort: 443 }
const host = 'demo.tunnels.test'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

/** A tunnel whose upstream echoes. Connections from `balancer` count as a balancer's. */
async function startEcho(
  kind: 'tcp' | 'http' | 'tls',
  options: Partial<RelayOptions> = {},
  { limits = {}, deny = [] }: { limits?: object; deny?: string[] } = {},
) {
  const { ports } = await bench.startRelay(
    {
      trustedProxies: ['127.0.0.2'],
      proxyProtocol: ['http', 'tls', 'tcp'],
      limits: { strangersMax: 2, ...limits },
    },
    options,
  )
  const upstreamPort = await bench.startUpstream((socket) => socket.pipe(socket))
  const tcpPort = await freePort()
  const endpoint = kind === 'tcp' ? `tcp:c1:${tcpPort}` : `host:${host}`
  const ticket = await control.ticket({ endpoint, kind, policy: { ...openPolicy, deny } })
  const agent = await bench.dial(ports, { ticket, upstreamPort })
  await agent.bind(1, ticket)
  return { ...ports, tcpPort, agent, ca: control.requests.at(-1)?.boot.agentAddress.certificate }
}

function visit(port: number, localAddress = balancer): Socket {
  return connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true })
}

async function heard(socket: Socket, bytes: number): Promise<string> {
  let text = ''
  while (text.length < bytes) text += String((await once(socket, 'data'))[0])
  return text
}

async function refusals(adminPort: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return Number(/^ptun_refused_total\{tunnel="",code="PT-4114"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

describe('a trusted load balancer', () => {
  test.each(['v1', 'v2'] as const)('%s: a tcp visitor is the one that its header names', async (version) => {
    const { agent, tcpPort } = await startEcho('tcp')
    const socket = visit(tcpPort)
    socket.write(Buffer.concat([writeProxyHeader(version, ends), Buffer.from('hello')]))
    expect(await heard(socket, 5)).toBe('hello')
    expect(agent.visitors).toMatchObject([visitor])
    socket.end()
    expect(await readAll(socket)).toBe('')
  })

  test('a header that comes in single bytes is understood, and the bytes behind it are the visitor’s', async () => {
    const { agent, tcpPort } = await startEcho('tcp')
    const socket = visit(tcpPort)
    for (const byte of Buffer.concat([header, Buffer.from('hello')])) socket.write(Buffer.of(byte))
    expect(await heard(socket, 5)).toBe('hello')
    expect(agent.visitors).toMatchObject([visitor])
    socket.destroy()
  })

  test('an http visitor is the one that its header names', async () => {
    const { agent, httpPort } = await startEcho('http')
    const socket = visit(httpPort)
    socket.write(Buffer.concat([header, Buffer.from(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`)]))
    expect(await heard(socket, 20)).toMatch(/x-forwarded-for: 192\.0\.2\.7\r\n/i)
    expect(agent.visitors).toMatchObject([visitor])
    socket.destroy()
  })

  test('an HTTPS visitor is the one that its header names', async () => {
    const { agent, tlsPort, ca } = await startEcho('http')
    const raw = visit(tlsPort)
    raw.write(header)
    const socket = connectTls({ socket: raw, servername: host, ca })
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    expect(await heard(socket, 20)).toMatch(/x-forwarded-for: 192\.0\.2\.7\r\n/i)
    expect(agent.visitors).toMatchObject([visitor])
    socket.destroy()
  })

  test('a visitor of a tls tunnel is the one that its header names', async () => {
    const { agent, tlsPort } = await startEcho('tls')
    const raw = visit(tlsPort)
    raw.write(header)
    // Its own hello comes back, which is no valid answer, but shows that it went all the way.
    await once(connectTls({ socket: raw, servername: host }), 'error')
    expect(agent.visitors).toMatchObject([visitor])
    raw.destroy()
  })

  /** What becomes of visitors of a tcp tunnel, one after the other, whom the balancer names. */
  async function fates(port: number, sources: readonly string[], version: 'v1' | 'v2'): Promise<string[]> {
    const told: string[] = []
    for (const sourceAddress of sources) {
      const destinationAddress = sourceAddress.includes(':') ? '2001:db8::53' : '203.0.113.1'
      const socket = visit(port)
      socket.write(writeProxyHeader(version, { ...ends, sourceAddress, destinationAddress }))
      socket.write('hello')
      const fate = await new Promise<string>((resolve) => {
        for (const event of ['error', 'close']) socket.on(event, () => resolve('reset'))
        socket.on('data', (bytes: Buffer) => resolve(String(bytes)))
      })
      told.push(`${sourceAddress} ${fate}`)
      socket.destroy()
    }
    return told
  }

  test.each(['v1', 'v2'] as const)(
    '%s: IP rules judge whom the header names, by IPv6 too',
    async (version) => {
      const { agent, tcpPort } = await startEcho(
        'tcp',
        {},
        { deny: ['2001:db8:bad::/48', '198.51.100.0/24'] },
      )
      const sources = ['2001:db8:bad::1', '2001:db8:600d::1', '198.51.100.7', '192.0.2.7']
      expect(await fates(tcpPort, sources, version)).toEqual([
        '2001:db8:bad::1 reset',
        '2001:db8:600d::1 hello',
        '198.51.100.7 reset',
        '192.0.2.7 hello',
      ])
      expect(agent.visitors.map(({ visitorAddress }) => visitorAddress)).toEqual([
        '2001:db8:600d::1',
        '192.0.2.7',
      ])
    },
  )

  test('rates count whom the header names, and never the balancer', async () => {
    const source = { perMinute: 1, burst: 2 }
    const { tcpPort } = await startEcho('tcp', {}, { limits: { source, exempt: [] } })
    const sources = [
      '192.0.2.7',
      '192.0.2.8',
      '192.0.2.9',
      ...[1, 2, 3].map((n) => `2001:db8:1::${n}`),
      '198.51.100.7',
    ]
    expect((await fates(tcpPort, sources, 'v2')).filter((fate) => fate.endsWith('reset'))).toEqual([
      '192.0.2.9 reset',
      '2001:db8:1::3 reset',
    ])
  })

  test.each([
    ['another family than its addresses', 'PROXY TCP6 192.0.2.7 203.0.113.1 1 2\r\n'],
    ['a name for an address', 'PROXY TCP4 localhost 203.0.113.1 1 2\r\n'],
    ['a port that is none', 'PROXY TCP4 192.0.2.7 203.0.113.1 65536 2\r\n'],
    ['a line without an end', `PROXY TCP4 ${'1'.repeat(200)}`],
    ['UDP', Buffer.concat([header.subarray(0, 13), Buffer.of(0x12), header.subarray(14)])],
    ['a later version', Buffer.concat([header.subarray(0, 12), Buffer.of(0x31), header.subarray(13)])],
    ['addresses that are cut short', Buffer.concat([header.subarray(0, 14), Buffer.of(0, 4, 1, 2, 3, 4)])],
    [
      'a length beyond all limits',
      Buffer.concat([header.subarray(0, 14), Buffer.of(0xff, 0xff), Buffer.alloc(4_000)]),
    ],
  ])('a wrong header is refused and counted: %s', async (_, wrong) => {
    const { agent, tcpPort, adminPort } = await startEcho('tcp')
    const socket = visit(tcpPort)
    const closed = once(socket, 'close').catch(() => {})
    socket.on('error', () => {})
    socket.write(wrong)
    await closed
    expect(await refusals(adminPort)).toBe(1)
    expect(agent.visitors).toEqual([])
  })

  test('LOCAL and UNKNOWN mean the balancer itself', async () => {
    const { agent, tcpPort } = await startEcho('tcp')
    for (const own of [
      Buffer.from('PROXY UNKNOWN\r\n'),
      Buffer.concat([header.subarray(0, 12), Buffer.of(0x20, 0, 0, 0)]),
    ]) {
      const socket = visit(tcpPort)
      socket.write(Buffer.concat([own, Buffer.from('hello')]))
      expect(await heard(socket, 5)).toBe('hello')
      expect(agent.visitors.at(-1)).toMatchObject({ visitorAddress: balancer, visitorPort: socket.localPort })
      socket.destroy()
    }
  })

  test('without a header nobody gets in, and it is counted', async () => {
    const { agent, httpPort, adminPort } = await startEcho('http')
    const socket = visit(httpPort)
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    await once(socket, 'error')
    const half = visit(httpPort)
    half.end(header.subarray(0, 20))
    await once(half, 'error')
    expect(await refusals(adminPort)).toBe(2)
    expect(agent.visitors).toEqual([])
  })

  test('a probe that sends nothing is closed and not counted', async () => {
    const { httpPort, adminPort } = await startEcho('http')
    const socket = visit(httpPort)
    socket.end()
    expect(await readAll(socket)).toBe('')
    expect(await refusals(adminPort)).toBe(0)
  })

  test('a connection without a header is dropped after ten seconds; when too many wait, the oldest yields', async () => {
    const clock = new FakeClock(Date.now())
    control.nowMs = () => clock.now()
    const { httpPort, adminPort } = await startEcho('http', { clock })
    const waiting = [visit(httpPort), visit(httpPort)]
    await Promise.all(waiting.map((socket) => once(socket, 'connect')))
    const oldest = Promise.race(waiting.map((socket) => once(socket, 'error').then(() => socket)))
    const third = visit(httpPort)
    await once(third, 'connect')
    const first = await oldest
    const left = [...waiting.filter((socket) => socket !== first), third]
    const gone = left.map((socket) => once(socket, 'error'))
    clock.advance(limits.headDeadlineMs)
    await Promise.all(gone)
    expect(await refusals(adminPort)).toBe(2)
  })
})

test('a header from anybody else is ordinary bytes', async () => {
  const { agent, tcpPort, httpPort } = await startEcho('tcp')
  const stranger = visit(tcpPort, '127.0.0.3')
  stranger.write(header)
  expect(await heard(stranger, header.length)).toBe(String(header))
  expect(agent.visitors).toMatchObject([{ visitorAddress: '127.0.0.3', visitorPort: stranger.localPort }])
  stranger.destroy()
  const liar = visit(httpPort, '127.0.0.3')
  liar.end(`PROXY TCP4 192.0.2.7 203.0.113.1 1 2\r\nGET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
  expect(await readAll(liar)).toMatch(/^HTTP\/1\.1 400 /)
})

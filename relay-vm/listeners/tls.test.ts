import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { alpn } from '@porttunneler/shared/mux/connect-tls'
import { limits } from '@porttunneler/shared/protocol/limits'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../testing/test-control.ts'
import { agentSni, readAll, TestBench } from '../testing/test-relay.ts'

let control: TestControl
let bench: TestBench

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

async function metricsOf(adminPort: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
}

async function refusals(adminPort: number): Promise<Record<string, number>> {
  const found = (await metricsOf(adminPort)).matchAll(
    /^ptun_refused_total\{tunnel="",code="(PT-\d+)"\} (\d+)$/gm,
  )
  return Object.fromEntries(Array.from(found, ([, code = '', count]) => [code, Number(count)]))
}

/** Resolves at any end: `once` would reject at a reset. */
function closedOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** A socket that reads nothing: its TLS stays in the middle of the handshake. */
function mute(socket: Socket): Duplex {
  return new Duplex({
    read() {},
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
  })
}

describe('TLS port: a refused client is told why by an alert', () => {
  const at = (port: number) => ({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const code = async (options: ConnectionOptions) => {
    const socket = connectTls(options)
    const [error] = await once(socket, 'error')
    // Its own last words may meet a closed connection.
    socket.on('error', () => {})
    return (error as NodeJS.ErrnoException).code
  }

  test('RFC 8446 9.2: no server name: missing_extension', async () => {
    const { ports } = await bench.startRelay()
    expect(await code(at(ports.tlsPort))).toBe('ERR_SSL_TLSV13_ALERT_MISSING_EXTENSION')
    expect(await code({ ...at(ports.tlsPort), maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL_/)
    expect(await refusals(ports.adminPort)).toEqual({ 'PT-4112': 2 })
  })

  test('RFC 6066 3: a name of nobody: unrecognized_name', async () => {
    const { ports } = await bench.startRelay()
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const)
      expect(await code({ ...at(ports.tlsPort), servername: 'elsewhere.test', maxVersion })).toBe(
        'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
      )
    expect(await refusals(ports.adminPort)).toEqual({ 'PT-4112': 2 })
  })

  test.each([
    ['of a visitor', 'a.tunnels.test', ['h2', 'spdy/3']],
    ['at the agents’ name', agentSni, ['porttunneler/9']],
  ])(
    'RFC 7301 3.2: no protocol in common, %s: no_application_protocol',
    async (_, servername, ALPNProtocols) => {
      const { ports } = await bench.startRelay()
      expect(await code({ ...at(ports.tlsPort), servername, ALPNProtocols })).toBe(
        'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      )
      expect(await refusals(ports.adminPort)).toEqual({ 'PT-4113': 1 })
    },
  )

  test('RFC 8446 6.2: a partly false hello: decode_error, byte by byte; no alert without TLS', async () => {
    const { ports } = await bench.startRelay()
    const said = async (bytes: Buffer) => {
      const socket = connect({ port: ports.tlsPort, host: '127.0.0.1', allowHalfOpen: true })
      socket.write(bytes)
      let heard = Buffer.alloc(0)
      for await (const chunk of socket) heard = Buffer.concat([heard, chunk as Buffer])
      return heard.toString('hex')
    }
    // A hello of four bytes, then 60 kB that nobody reads.
    const broken = Buffer.concat([Buffer.of(22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0), Buffer.alloc(60_000)])
    expect(await said(broken)).toBe('15030300020232')
    expect(await said(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBe('')
  })

  test('the port of one relay among several does the same', async () => {
    const own = { host: '127.0.0.1', tlsPort: 0, httpPort: 0 }
    const shared = { host: '127.0.0.1', port: 0 }
    const { ports } = await bench.startRelay({
      listen: { tls: shared, http: shared, tcpHost: '127.0.0.1', own },
    })
    expect(await code({ ...at(ports.own?.tlsPort ?? 0), servername: 'elsewhere.test' })).toBe(
      'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
    )
  })
})

describe('TLS port: strangers', () => {
  test('a client that sends nothing, or half a ClientHello, is dropped after ten seconds', async () => {
    const clock = new FakeClock(Date.now())
    control.nowMs = () => clock.now()
    const { ports } = await bench.startRelay({}, { clock })
    const silent = connect(ports.tlsPort, '127.0.0.1')
    const half = connect(ports.tlsPort, '127.0.0.1')
    const gone = [once(silent, 'close'), once(half, 'close')]
    await Promise.all([once(silent, 'connect'), once(half, 'connect')])
    half.write(Buffer.of(22, 3, 1, 1, 0, 1))
    // Both are accepted once a later visitor has been answered.
    await once(connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: 'elsewhere.test' }), 'error')
    clock.advance(limits.headDeadlineMs)
    for (const socket of [silent, half]) socket.resume()
    await Promise.all(gone)
    expect(await refusals(ports.adminPort)).toMatchObject({ 'PT-4111': 2, 'PT-4112': 1 })
  })

  test('when too many strangers wait the oldest yields, at the TLS and the HTTP port alike', async () => {
    const { ports } = await bench.startRelay({ limits: { strangersMax: 1 } })
    const dropped = async (port: number) => {
      const oldest = connect(port, '127.0.0.1').resume()
      await once(oldest, 'connect')
      const closed = once(oldest, 'close')
      const next = connect(port, '127.0.0.1').resume()
      await closed
      return next
    }
    const waiting = [await dropped(ports.tlsPort), await dropped(ports.httpPort)]
    // The one that waited at the TLS port yielded to the first at the HTTP port.
    expect(await refusals(ports.adminPort)).toEqual({ 'PT-4118': 3 })
    const ticket = await control.ticket({ endpoint: 'host:a.tunnels.test' })
    await bench.dial(ports, { ticket })
    await bench.dial(ports, { ticket })
    for (const socket of waiting) socket.destroy()
  })

  test('handshakes beyond the budget are refused before any cryptography, and agents have their own', async () => {
    const handshakes = { visitors: { perMinute: 1, burst: 1 } }
    const { ports } = await bench.startRelay({ limits: { handshakes } })
    const options = {
      port: ports.tlsPort,
      host: '127.0.0.1',
      servername: 'a.tunnels.test',
      rejectUnauthorized: false,
    }
    const first = connectTls(options)
    await once(first, 'secureConnect')
    const [error] = await once(connectTls(options), 'error')
    expect(error).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
    expect(await refusals(ports.adminPort)).toEqual({ 'PT-4115': 1 })
    first.destroy()
    await bench.dial(ports, { ticket: await control.ticket({ endpoint: 'host:a.tunnels.test' }) })
  })

  test('a client that leaves during a handshake is forgotten at once; after it half-closing works', async () => {
    const { ports } = await bench.startRelay()
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('end', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole')).resume()
    })
    const ticket = await control.ticket({ endpoint: 'host:a.tunnels.test' })
    const dialled = await bench.dial(ports, { ticket, upstreamPort })
    await dialled.bind(1, ticket)
    const rude = connect(ports.tlsPort, '127.0.0.1')
    const hello = connectTls({ socket: mute(rude), servername: 'a.tunnels.test', rejectUnauthorized: false })
    hello.on('error', () => {})
    while (!/^ptun_stranger_sockets 1$/m.test(await metricsOf(ports.adminPort)));
    rude.end()
    while (!/^ptun_stranger_sockets 0$/m.test(await metricsOf(ports.adminPort)));
    const visitor = connectTls({
      socket: connect({ port: ports.tlsPort, host: '127.0.0.1', allowHalfOpen: true }),
      servername: 'a.tunnels.test',
      rejectUnauthorized: false,
    })
    visitor.end('GET / HTTP/1.1\r\nHost: a.tunnels.test\r\n\r\n')
    expect(await readAll(visitor)).toMatch(/^HTTP\/1.1 200.*whole$/s)
  })

  test('a handshake at a byte a second ends ten seconds after its hello, for visitors and agents', async () => {
    const clock = new FakeClock(Date.now())
    control.nowMs = () => clock.now()
    const { ports } = await bench.startRelay({}, { clock })
    const slow = [['a.tunnels.test'], [agentSni, alpn]].map(([servername, protocol]) => {
      const socket = connect(ports.tlsPort, '127.0.0.1')
      const ALPNProtocols = protocol === undefined ? [] : [protocol]
      connectTls({ socket: mute(socket), servername, ALPNProtocols, rejectUnauthorized: false }).on(
        'error',
        () => {},
      )
      socket.on('error', () => {}).resume()
      return { socket, closed: closedOf(socket) }
    })
    while (!/^ptun_stranger_sockets 2$/m.test(await metricsOf(ports.adminPort)));
    // The first part of a record of 16 KiB that belongs to the handshake.
    const record = Buffer.from([23, 3, 3, 0x40, 0, ...Array(20).fill(0)])
    for (let second = 0; second < limits.headDeadlineMs / 1_000; second++) {
      for (const { socket } of slow) socket.write(record.subarray(second, second + 1))
      clock.advance(1_000)
    }
    await Promise.all(slow.map(({ closed }) => closed))
    expect(await refusals(ports.adminPort)).toMatchObject({ 'PT-4111': 2 })
  })

  test('a thousand connections that half-close at once, silent or in a hello or head, leave nothing', async () => {
    const { ports } = await bench.startRelay()
    const begins = [
      Buffer.alloc(0),
      Buffer.from([22, 3, 1, 1, 0, 1]),
      Buffer.from('GET / HTTP/1.1\r\nHost: a.t'),
    ]
    const crowd = Array.from({ length: 1_000 }, (_, n) => {
      const port = n % 2 === 0 ? ports.tlsPort : ports.httpPort
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => {}).resume()
      socket.end(begins[n % begins.length] ?? '')
      return closedOf(socket)
    })
    await Promise.all(crowd)
    while (!/^ptun_stranger_sockets 0$/m.test(await metricsOf(ports.adminPort)));
    expect(await metricsOf(ports.adminPort)).toMatch(/^ptun_visitor_sockets 0$/m)
  })

  test('the agent name without the agent protocol is not answered as an agent', async () => {
    const { ports } = await bench.startRelay()
    const ca = control.requests.at(-1)?.boot.agentAddress.certificate
    const options = { port: ports.tlsPort, host: '127.0.0.1', servername: agentSni, ca }
    const visitor = connectTls({ ...options, ALPNProtocols: ['http/1.1'] })
    await once(visitor, 'secureConnect')
    expect(visitor.alpnProtocol).toBe('http/1.1')
    visitor.destroy()
  })

  test('agents get TLS 1.3 with AES-128 and nothing older', async () => {
    const { ports } = await bench.startRelay()
    const ca = control.requests.at(-1)?.boot.agentAddress.certificate
    const options = {
      port: ports.tlsPort,
      host: '127.0.0.1',
      servername: agentSni,
      ca,
      ALPNProtocols: ['porttunneler'],
    }
    const agent = connectTls(options)
    await once(agent, 'secureConnect')
    expect([agent.getProtocol(), agent.alpnProtocol]).toEqual(['TLSv1.3', 'porttunneler'])
    agent.destroy()
    await once(connectTls({ ...options, maxVersion: 'TLSv1.2' }), 'error')
    expect(await refusals(ports.adminPort)).toMatchObject({ 'PT-4113': expect.any(Number) })
  })
})

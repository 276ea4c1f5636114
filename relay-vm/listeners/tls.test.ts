import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
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

/** The socket as one that hears nothing: its TLS stays in the middle of the handshake. */
function mute(socket: Socket): Duplex {
  return new Duplex({
    read() {},
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
  })
}

describe('TLS port: strangers', () => {
  test('who says nothing, or half a ClientHello, is dropped after ten seconds', async () => {
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

  test('of more strangers than may wait the oldest makes way, at the TLS and the HTTP port alike', async () => {
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
    // The one that waited at the TLS port went for the first at the HTTP port.
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
    const second = connectTls(options)
    await once(second, 'error')
    expect(second.getProtocol()).toBeNull()
    expect(await refusals(ports.adminPort)).toEqual({ 'PT-4115': 1 })
    first.destroy()
    await bench.dial(ports, { ticket: await control.ticket({ endpoint: 'host:a.tunnels.test' }) })
  })

  test('who goes in the middle of a handshake is forgotten at once; behind it half-closing works', async () => {
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

import { once } from 'node:events'
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import { type AgentOptions, request as httpsRequest } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { newId } from '@porttunneler/shared/base/ids'
import type { Policy } from '@porttunneler/shared/protocol/endpoint'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { selfSignedIdentity } from './certificate.ts'
import { account, makeTestControl, openPolicy, type TestControl } from './testing/test-control.ts'
import { ownName, readAll, TestBench } from './testing/test-relay.ts'

const host = 'demo.tunnels.test'
const endpoint = `host:${host}`
let control: TestControl
let bench: TestBench
const closers: (() => unknown)[] = []

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  await bench.close()
})

/** A relay, an agent, and an upstream that answers with the request it got. */
async function startTunnel(
  rules: Partial<Policy> = {},
  changes: Record<string, unknown> = {},
  domains: readonly string[] = [],
) {
  const { relay, ports } = await bench.startRelay(changes)
  const server = createHttpServer((request, response) => {
    const { host: named, 'x-forwarded-proto': proto, 'x-forwarded-for': from } = request.headers
    response.end(JSON.stringify({ url: request.url, named, proto, from }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  const names = domains.map((named) => ({ host: named, version: 1 }))
  const ticket = await control.ticket({ endpoint, names, policy: { ...openPolicy, ...rules } })
  const { port: upstreamPort } = server.address() as AddressInfo
  const agent = await bench.dial(ports, { ticket, upstreamPort })
  await agent.bind(1, ticket)
  const ca = control.requests.at(-1)?.boot.agentAddress.certificate ?? ''
  return { relay, ports, agent, ca }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return body
}

async function get(port: number, named: string, path = '/') {
  const request = httpRequest({ port, host: '127.0.0.1', path, headers: { host: named }, agent: false }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { location } = response.headers
  return { status: response.statusCode ?? 0, body: await bodyOf(response), ...(location && { location }) }
}

async function getTls(port: number, servername: string, options: AgentOptions & { named?: string }) {
  const { named = servername, ...rest } = options
  const request = httpsRequest({
    port,
    host: '127.0.0.1',
    servername,
    headers: { host: named },
    agent: false,
    ...rest,
  })
  const [response] = (await once(request.end(), 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await bodyOf(response) }
}

describe('relay: http tunnels', () => {
  test('a request reaches its tunnel over plain HTTP and over HTTPS, and the upstream is told which', async () => {
    const { ports, ca } = await startTunnel()
    const plain = await get(ports.httpPort, host, '/a')
    expect(JSON.parse(plain.body)).toEqual({ url: '/a', named: host, proto: 'http', from: '127.0.0.1' })
    const secure = await getTls(ports.tlsPort, host, { ca })
    expect(JSON.parse(secure.body)).toMatchObject({ named: host, proto: 'https' })
  })

  test('unknown hosts get 404, hosts whose agent is away 503, each with its code', async () => {
    const { ports, ca, agent } = await startTunnel()
    expect(await get(ports.httpPort, 'nobody.tunnels.test')).toMatchObject({ status: 404 })
    expect(await getTls(ports.tlsPort, 'nobody.tunnels.test', { ca })).toMatchObject({ status: 404 })
    agent.session.close('session.closed')
    await agent.heard('closed')
    const away = await get(ports.httpPort, host)
    expect(away.status).toBe(503)
    expect(away.body).toContain('PT-4107')
  })

  test('when the policy requires HTTPS, plain HTTP is redirected with its path, and HTTPS passes', async () => {
    const { ports, ca } = await startTunnel({ httpsOnly: true })
    const { status, location } = await get(ports.httpPort, host, '/a?b=c')
    expect({ status, location }).toEqual({
      status: 308,
      location: `https://${host}:${ports.tlsPort}/a?b=c`,
    })
    expect((await getTls(ports.tlsPort, host, { ca })).status).toBe(200)
  })

  test('where the policy says so the upstream answers challenges at own domains, and nowhere else', async () => {
    const { sync } = control
    control.sync = async (...given) => ({
      ...(await sync(...given)),
      tls: { thumbprint: 'thumb', ticketSecret: 's' },
    })
    const [own, other] = ['app.example.org', 'www.example.org']
    const { ports, agent } = await startTunnel({ acme: 'upstream' }, {}, [own])
    const ticket = await control.ticket({
      endpoint: 'host:b.tunnels.test',
      names: [{ host: other, version: 1 }],
    })
    await agent.bind(2, ticket)
    const path = '/.well-known/acme-challenge/token'
    const ask = async (named: string) => (await get(ports.httpPort, named, path)).body
    expect(await ask(own)).toContain(`"url":"${path}"`)
    for (const named of [other, host, 'nobody.example.org']) expect(await ask(named)).toBe('token.thumb')
  })

  test('requests count for the policy one by one, also on one connection', async () => {
    const { ports } = await startTunnel({ requestsPerMinute: 2 })
    const socket = connect({ port: ports.httpPort, host: '127.0.0.1' })
    socket.write(`GET /1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(3))
    const said = await readAll(socket)
    expect([...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '200', '429'])
    expect(said).toContain('PT-4019')
  })

  test('over TLS a Host other than the SNI is refused', async () => {
    const { ports, ca } = await startTunnel()
    expect(await getTls(ports.tlsPort, host, { ca, named: 'other.tunnels.test' })).toMatchObject({
      status: 421,
    })
  })

  test('HTTP/2 is spoken for names of tunnels; at the relay’s own names it is not offered', async () => {
    const { ports, ca } = await startTunnel()
    const createConnection = () =>
      connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: host, ca, ALPNProtocols: ['h2'] })
    const client = connectHttp2(`https://${host}`, { createConnection })
    closers.push(() => client.destroy())
    for (const path of ['/a', '/b']) {
      const request = client.request({ ':authority': host, ':path': path })
      let body = ''
      for await (const chunk of request) body += String(chunk)
      expect(JSON.parse(body)).toEqual({ url: path, named: host, proto: 'https', from: '127.0.0.1' })
    }
    const metrics = await (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
    expect(metrics).toContain('ptun_http_connections_total{protocol="h2"} 1')
    const own = { port: ports.tlsPort, host: '127.0.0.1', servername: ownName, ALPNProtocols: ['h2'] }
    const [error] = await once(connectTls({ ...own, ca }), 'error')
    expect(String(error.code)).toMatch(/ALERT_NO_APPLICATION_PROTOCOL|ECONNRESET/)
    expect((await get(ports.httpPort, host)).status).toBe(200)
  })

  test('where another process may serve the tunnel HTTP/2 is for visitors who speak nothing else', async () => {
    const listen = {
      tls: { host: '127.0.0.1', port: 0 },
      http: { host: '127.0.0.1', port: 0 },
      tcpHost: '127.0.0.1',
      siblings: `${bench.dataDir}/siblings`,
    }
    const { ports, ca, agent } = await startTunnel({}, { listen })
    const spoken = async (...ALPNProtocols: string[]) => {
      const socket = connectTls({
        port: ports.tlsPort,
        host: '127.0.0.1',
        servername: host,
        ca,
        ALPNProtocols,
      })
      await once(socket, 'secureConnect')
      socket.destroy()
      return socket.alpnProtocol
    }
    expect(await spoken('h2', 'http/1.1')).toBe('h2')
    agent.session.close('session.closed')
    await agent.heard('closed')
    expect(await spoken('h2', 'http/1.1')).toBe('http/1.1')
    expect(await spoken('h2')).toBe('h2')
  })

  test('a flag takes HTTP/2 from some accounts or all, and a relay that starts again remembers it', async () => {
    const spoken = async (
      state: NonNullable<TestControl['flags']>[string] | undefined,
      offered: string[],
    ) => {
      control.flags = state && { 'visitor-http2': state }
      const { ports, ca, relay } = await startTunnel()
      const at = { port: ports.tlsPort, host: '127.0.0.1', servername: host, ca, ALPNProtocols: offered }
      const socket = connectTls(at).on('error', () => {})
      const outcome = await once(socket, 'secureConnect').then(
        () => socket.alpnProtocol,
        () => 'refused',
      )
      socket.destroy()
      await relay.close()
      return outcome
    }
    const both = ['h2', 'http/1.1']
    const nobody = { percent: 0, in: [], out: [], killed: false }
    expect(await spoken({ ...nobody, in: [account] }, both)).toBe('h2')
    expect(await spoken({ ...nobody, in: [account], killed: true }, both)).toBe('http/1.1')
    // This control plane says nothing of flags.
    expect(await spoken(undefined, both)).toBe('http/1.1')
    expect(await spoken(undefined, ['h2'])).toBe('refused')
  })

  test('a flag that is killed ends open connections of HTTP/2 with their next request', async () => {
    const { ports, ca } = await startTunnel()
    const createConnection = () =>
      connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: host, ca, ALPNProtocols: ['h2'] })
    const client = connectHttp2(`https://${host}`, { createConnection })
    closers.push(() => client.destroy())
    const told = once(client, 'goaway')
    const ask = async () => {
      const request = client.request({ ':authority': host, ':path': '/' }).resume()
      const head = await once(request, 'response').catch(() => undefined)
      return head?.[0][':status'] ?? request.rstCode
    }
    expect(await ask()).toBe(200)
    control.flags = { 'visitor-http2': { percent: 100, in: [], out: [], killed: true } }
    // An agent that leaves makes the relay report, and hear.
    const agentId = newId('agt', 2)
    const ticket = await control.ticket({ endpoint: 'host:other.tunnels.test', agent: agentId })
    const other = await bench.dial(ports, { ticket, agentId })
    await other.bind(1, ticket)
    other.session.close('session.closed')
    const { NGHTTP2_REFUSED_STREAM } = constants
    await vi.waitFor(async () => expect(await ask()).toBe(NGHTTP2_REFUSED_STREAM), { timeout: 20_000 })
    expect((await told)[0]).toBe(0)
    expect((await getTls(ports.tlsPort, host, { ca })).status).toBe(200)
  })

  test('a rate of new visitors counts a connection of HTTP/2 once, however many requests run at a time', async () => {
    const { ports, ca } = await startTunnel({ connectionsPerMinute: 2 })
    const open = () => {
      const createConnection = () =>
        connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: host, ca, ALPNProtocols: ['h2'] })
      const client = connectHttp2(`https://${host}`, { createConnection })
      closers.push(() => client.destroy())
      return client
    }
    const [first, second, third] = [open(), open(), open()]
    const status = async (client: typeof first) => {
      const request = client.request({ ':authority': host, ':path': '/' }).resume()
      const [head] = await once(request, 'response')
      return head[':status']
    }
    expect(await Promise.all(Array.from({ length: 6 }, () => status(first)))).toEqual(Array(6).fill(200))
    expect(await status(second)).toBe(200)
    expect(await status(third)).toBe(429)
  })

  test('a relay that leaves ends a connection of HTTP/2 with the answer that is under way', async () => {
    const { ports, ca, relay } = await startTunnel()
    const createConnection = () =>
      connectTls({ port: ports.tlsPort, host: '127.0.0.1', servername: host, ca, ALPNProtocols: ['h2'] })
    const client = connectHttp2(`https://${host}`, { createConnection })
    closers.push(() => client.destroy())
    const request = client.request({ ':authority': host, ':path': '/', ':method': 'POST' })
    request.write('x')
    await once(request, 'response')
    const told = once(client, 'goaway')
    const draining = relay.drain()
    expect((await told)[0]).toBe(0)
    request.end()
    request.resume()
    await once(request, 'close')
    expect(request.rstCode).toBe(0)
    await draining
  })
})

describe('relay: tls tunnels', () => {
  test('the visitor’s TLS ends at the upstream, under the upstream’s own certificate', async () => {
    const { ports } = await bench.startRelay()
    const own = await selfSignedIdentity(`${bench.dataDir}/upstream`, { names: [host], nowMs: Date.now() })
    const server = createTlsServer({ cert: own.certificate, key: own.key.reveal() }, (socket) => {
      socket.end('from the upstream')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => server.close())
    const ticket = await control.ticket({ endpoint, kind: 'tls' })
    const { port: upstreamPort } = server.address() as AddressInfo
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    const socket = connectTls({
      port: ports.tlsPort,
      host: '127.0.0.1',
      servername: host,
      ca: own.certificate,
    })
    expect(await readAll(socket)).toBe('from the upstream')
    const plain = await get(ports.httpPort, host, '/a?b')
    expect(plain).toMatchObject({ status: 308, location: `https://${host}:${ports.tlsPort}/a?b` })
    expect(plain.body).toContain('PT-4021')
  })
})

describe('relay: TLS port', () => {
  test('a ClientHello that comes in single bytes is served like any other', async () => {
    const { ports, ca } = await startTunnel()
    const raw = connect({ port: ports.tlsPort, host: '127.0.0.1', noDelay: true })
    const dripping = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        for (const byte of chunk) raw.write(Buffer.of(byte))
        done()
      },
    })
    raw.on('data', (chunk) => dripping.push(chunk))
    raw.on('end', () => dripping.push(null))
    const socket = connectTls({ socket: dripping, servername: host, ca })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    socket.destroy()
    raw.destroy()
  })
})

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'
import { Siblings } from './siblings.ts'
import { agent, makeTestControl, type TestControl } from './testing/test-control.ts'
import { readAll, TestAgent, TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench
const host = '127.0.0.1'
const closers: (() => void)[] = []
type Started = Awaited<ReturnType<TestBench['startRelay']>>

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(async () => {
  for (const close of closers.splice(0)) close()
  await bench.close()
})

/** Two processes of one machine, as far as they can tell. */
async function startPair() {
  const [httpPort, tlsPort] = [await freePort(), await freePort()]
  const start = (instance: string) =>
    bench.startRelay({
      instance,
      dataDir: join(bench.dataDir, instance),
      listen: {
        tls: { host, port: tlsPort },
        http: { host, port: httpPort },
        tcpHost: host,
        siblings: join(bench.dataDir, 'siblings'),
        own: { host, tlsPort: 0, httpPort: 0 },
      },
    })
  return { first: await start('r1'), second: await start('r2'), httpPort, tlsPort }
}

async function dial({ ports }: Started, ticket: string, upstreamPort: number): Promise<TestAgent> {
  const port = ports.own?.tlsPort ?? 0
  const { boot } = await control.synced(({ boot }) => boot.agentAddress.port === port)
  const { certificate } = boot.agentAddress
  const dialled = await TestAgent.dial(port, { ticket, upstreamPort, agentId: agent, certificate })
  closers.push(() => dialled.session.close('session.closed'))
  return dialled
}

/** A visitor asks at the own port of `first` for what only `second` has. */
async function ask(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a.tunnels.test\r\n\r\n`)
  return socket
}

describe('siblings', () => {
  test('a visitor reaches the agent through the process that has it, with its own address, for one request', async () => {
    const { first, second } = await startPair()
    const heard: string[] = []
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('data', (chunk) => {
        heard.push(String(chunk))
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
      })
    })
    const ticket = await control.ticket({ kind: 'http', endpoint: 'host:a.tunnels.test' })
    const served = await dial(second, ticket, upstreamPort)
    await served.bind(1, ticket)
    const visitor = await ask(first.ports.own?.httpPort ?? 0, '/')
    expect(await readAll(visitor)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*hi$/s)
    visitor.end()
    expect(heard.join('')).toContain('Connection: close\r\nX-Forwarded-For: 127.0.0.1\r\n')
    await first.relay.drain()
  })

  test('when nobody has the agent the visitor gets the same answer as from a relay alone', async () => {
    const { first } = await startPair()
    const visitor = await ask(first.ports.own?.httpPort ?? 0, '/')
    expect(await readAll(visitor)).toMatch(/^HTTP\/1\.1 404 /)
    visitor.end()
  })

  test('a visitor of a tls tunnel too, whether this process knows the name or not, and its TLS is not touched', async () => {
    const { first, second, tlsPort } = await startPair()
    const identity = await makeSelfSigned(['a.tunnels.test'], Date.now())
    const { certificate: cert, key } = identity
    const upstream = createTlsServer({ cert, key: key.reveal() }, (socket) => socket.pipe(socket))
    const upstreamPort = await bench.startUpstream((socket) => upstream.emit('connection', socket))
    const ticket = await control.ticket({ kind: 'tls', endpoint: 'host:a.tunnels.test' })
    const served = await dial(second, ticket, upstreamPort)
    await served.bind(1, ticket)
    const visit = async () => {
      const visitor = connectTls({ port: tlsPort, host, servername: 'a.tunnels.test', ca: cert })
      visitor.end('sealed')
      expect(await readAll(visitor)).toBe('sealed')
    }
    // The kernel gives about half of them to the process that does not know the tunnel,
    for (let count = 0; count < 12; count++) await visit()
    // and then to one that has lost its agent.
    const other = await dial(first, ticket, upstreamPort)
    await other.bind(1, ticket)
    const closed = other.heard('closed')
    other.session.close('session.closed')
    await closed
    for (let count = 0; count < 12; count++) await visit()
    expect(served.visitors).toHaveLength(24)
  })

  test('a tls visitor of an unknown tunnel is refused as by a relay alone', async () => {
    const { first } = await startPair()
    const visitor = connectTls({ port: first.ports.own?.tlsPort ?? 0, host, servername: 'b.elsewhere.test' })
    await once(visitor, 'error')
    const metrics = await fetch(`http://${host}:${first.ports.adminPort}/metrics`)
    expect(await metrics.text()).toContain('ptun_refused_total{tunnel="",code="PT-4112"}')
  })

  test('a leased port is shared: at either process, both ways end by themselves', async () => {
    const { first, second } = await startPair()
    const upstreamPort = await bench.startUpstream((socket) => socket.pipe(socket))
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const one = await dial(first, ticket, upstreamPort)
    await one.bind(1, ticket)
    const other = await dial(second, ticket, upstreamPort)
    await other.bind(1, ticket)
    const closed = one.heard('closed')
    one.session.close('session.closed')
    await closed
    // Half of them arrive at the process that has lost the agent.
    for (let visit = 0; visit < 16; visit++) {
      const visitor = connect({ port, host, allowHalfOpen: true })
      visitor.end(`visit ${visit}`)
      expect(await readAll(visitor)).toBe(`visit ${visit}`)
    }
  })

  test('the first bytes of an upstream are not lost when they come in one read with the consent', async () => {
    const folder = join(bench.dataDir, 'siblings')
    const make = (instance: string) =>
      new Siblings({ folder, instance, clock: new FakeClock(), log: silentLog })
    const [asker, server] = [make('r1'), make('r2')]
    await server.listen()
    server.serve({
      accepts: () => true,
      serve: (socket) => void socket.write('SSH-2.0-test\r\n'),
    })
    closers.push(() => server.close())
    const origin = { address: '192.0.2.9', port: 1, localPort: 22 }
    const found = await asker.find({ kind: 'raw', endpoint: 'tcp:c:22', origin })
    closers.push(() => found?.destroy())
    const heard = found && once(found, 'data', { signal: AbortSignal.timeout(5_000) })
    found?.resume()
    expect(String(await heard)).toBe('SSH-2.0-test\r\n')
  })

  test('a port or a name that a stranger has is not shared with it', async () => {
    const stranger = createServer().listen({ port: 0, host, reusePort: true })
    await once(stranger, 'listening')
    closers.push(() => stranger.close())
    const { port } = stranger.address() as AddressInfo
    const folder = join(bench.dataDir, 'siblings')
    const start = (httpPort: number) =>
      bench.startRelay({
        listen: { tls: { host, port: 0 }, http: { host, port: httpPort }, tcpHost: host, siblings: folder },
      })
    await expect(start(port)).rejects.toMatchObject({ key: 'relay.port' })
    await start(0)
    await expect(start(0)).rejects.toMatchObject({ key: 'relay.port' })
  })
})

/**
 * Last words on the rarer ways: TLS at the relay, upstreams that speak TLS or listen at a Unix socket, upgraded
 * connections, and visitors who arrive at a process of the machine that does not have the agent.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { selfSignedIdentity, type TlsIdentity } from '@porttunneler/relay-vm/certificate'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agent as agentId, makeTestControl, type TestControl } from '../relay-vm/testing/test-control.ts'
import { TestAgent, TestBench } from '../relay-vm/testing/test-relay.ts'
import { isWhole } from './breadth.ts'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { answer, breaks, hear, repeat } from './harness/last-words.ts'
import { type Service, visitorAddress } from './harness/service.ts'
import { type Address, dial, type Listening, listenTcp } from './harness/sockets.ts'
import { freeSettings, startStandaloneService, temporaryFolder } from './harness/standalone.ts'

/** A race that loses a hundredth of all shows in the whole matrix. */
const count = isWhole ? 50 : 10
const host = '127.0.0.1'
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n'
type Break = (typeof breaks)[keyof typeof breaks]

let service: Service
let identity: TlsIdentity
let httpsPort: number

beforeAll(async () => {
  const settings = await freeSettings()
  httpsPort = Number(settings.PORTTUNNELER_TLS_PORT)
  service = await startStandaloneService({ env: settings })
  identity = await selfSignedIdentity(temporaryFolder('tls'), { names: ['localhost'], nowMs: Date.now() })
})
afterAll(async () => {
  await service?.stop()
})

/** A request with a body that the upstream does not read. */
function question(name: string, fields = 'Content-Length: 60000\r\n'): string {
  return `POST / HTTP/1.1\r\nHost: ${name}\r\n${fields}\r\n${'x'.repeat(60_000)}`
}

/** Reads the answer `count` times from what `open` connects to. */
async function heardOf(open: () => Promise<Socket>, asked: string | Buffer) {
  return await repeat(count, async () => {
    const socket = await open()
    const hearing = hear(socket)
    socket.write(asked)
    return await within(hearing, 'the end')
  })
}

function expectAnswers(heard: Awaited<ReturnType<typeof heardOf>>, wanted = answer): void {
  expect(heard.filter(({ text }) => text !== wanted)).toEqual([])
}

/** TLS at this end of a socket, whose first bytes are all that is read. */
function secured(socket: Socket, serve: (tls: TLSSocket) => void): void {
  const { certificate: cert, key } = identity
  const tls = new TLSSocket(socket, { isServer: true, cert, key: key.reveal() })
  tls.on('error', () => undefined)
  tls.once('data', () => {
    tls.pause()
    socket.pause()
    serve(tls)
  })
}

async function dialTls(address: Address, servername: string): Promise<TLSSocket> {
  const socket = connectTls({ ...address, servername, rejectUnauthorized: false })
  await within(once(socket, 'secureConnect'), 'TLS')
  return socket
}

describe.each(Object.entries(breaks))('an upstream that %s', (_, { name, serve }) => {
  const upstreams: (Listening | Server)[] = []
  let agent: Agent

  beforeAll(async () => {
    const plain = await listenTcp((socket) => {
      socket.once('data', () => serve(socket.pause()))
    })
    const tls = await listenTcp((socket) => secured(socket, (inner) => serve(inner, socket)))
    const upgraded = await listenTcp((socket) => {
      socket.once('data', () => {
        socket.write(switching)
        socket.once('data', () => serve(socket.pause(), socket, 'last words'))
      })
    })
    const path = join(temporaryFolder('words'), 'app.sock')
    const unix = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined)
      // A Unix socket has no reset.
      socket.resetAndDestroy = () => socket.destroy()
      socket.once('data', () => serve(socket.pause()))
    })
    await once(unix.listen(path), 'listening')
    upstreams.push(plain, tls, upgraded, unix)
    const kind = 'http'
    agent = await startAgent(service, {
      [`plain-${name}`]: { kind, upstream: plain.port },
      [`tls-${name}`]: { kind, upstream: `https://localhost:${tls.port}`, insecureUpstream: true },
      [`unix-${name}`]: { kind, upstream: `unix:${path}` },
      [`gate-${name}`]: { kind, upstream: plain.port, hostHeader: 'rewrite' },
      [`upgraded-${name}`]: { kind, upstream: upgraded.port },
    })
  })
  afterAll(async () => {
    await agent?.stop()
    for (const upstream of upstreams) await upstream.close()
  })

  test.each(['tls', 'unix', 'gate'])(
    `%s upstream: the answer arrives, ${count} of ${count}`,
    async (kind) => {
      const url = new URL(await agent.online(`${kind}-${name}`))
      expectAnswers(await heardOf(() => dial(visitorAddress(service, url.href)), question(url.host)))
    },
  )

  test(`visitor by HTTPS: the answer arrives, ${count} of ${count}`, async () => {
    const { hostname } = new URL(await agent.online(`plain-${name}`))
    const address = { host, port: httpsPort }
    expectAnswers(await heardOf(() => dialTls(address, hostname), question(hostname)))
  })

  test(`HTTPS on both sides: the answer arrives, ${count} of ${count}`, async () => {
    const { hostname } = new URL(await agent.online(`tls-${name}`))
    const address = { host, port: httpsPort }
    expectAnswers(await heardOf(() => dialTls(address, hostname), question(hostname)))
  })

  test.each(['http', 'https'])(`upgraded, by %s: its last words arrive, ${count} of ${count}`, async (by) => {
    const url = new URL(await agent.online(`upgraded-${name}`))
    const open = () =>
      by === 'http'
        ? dial(visitorAddress(service, url.href))
        : dialTls({ host, port: httpsPort }, url.hostname)
    const asked = question(url.host, 'Connection: Upgrade\r\nUpgrade: words\r\n')
    expectAnswers(await heardOf(open, asked), `${switching}last words`)
  })
})

describe('a visitor that sends bytes and resets', () => {
  test.each(['tls', 'unix', 'upgraded'])(`%s upstream: it is heard, ${count} of ${count}`, async (kind) => {
    const heard: string[] = []
    const listen = (socket: Socket) => {
      socket.once('data', () =>
        socket.write(kind === 'upgraded' ? switching : 'HTTP/1.1 100 Continue\r\n\r\n'),
      )
      void hear(socket).then(({ text }) => heard.push(text))
    }
    const tcp = await listenTcp((socket) => {
      if (kind !== 'tls') return listen(socket)
      const { certificate: cert, key } = identity
      listen(new TLSSocket(socket, { isServer: true, cert, key: key.reveal() }))
    })
    const path = join(temporaryFolder('words'), 'app.sock')
    const unix = createServer({ allowHalfOpen: true }, listen)
    await once(unix.listen(path), 'listening')
    const upstream =
      { tls: `https://localhost:${tcp.port}`, unix: `unix:${path}`, upgraded: tcp.port }[kind] ?? ''
    const insecure = kind === 'tls' ? { insecureUpstream: true } : {}
    const agent = await startAgent(service, { [`gone-${kind}`]: { kind: 'http', upstream, ...insecure } })
    const url = new URL(await agent.online(`gone-${kind}`))
    const words = 'the whole question'.padStart(1_000, '.')
    const fields =
      kind === 'upgraded' ? 'Connection: Upgrade\r\nUpgrade: words\r\n' : 'Content-Length: 1000\r\n'
    await repeat(count, async () => {
      const socket = await dial(visitorAddress(service, url.href))
      socket.on('error', () => undefined)
      socket.write(`POST / HTTP/1.1\r\nHost: ${url.host}\r\n${fields}\r\n`)
      await within(once(socket, 'data'), 'the welcome')
      await new Promise((resolve) => socket.write(words, resolve))
      socket.resetAndDestroy()
    })
    await eventually('all are heard', () => heard.length === count || undefined)
    expect(heard.filter((text) => text.endsWith(words))).toHaveLength(count)
    await agent.stop()
    await tcp.close()
    unix.close()
  })
})

describe('two relays of one machine, of which one has the agent', () => {
  let control: TestControl
  let bench: TestBench
  let ports: { readonly http: number; readonly tls: number; readonly tcp: number }
  let served: TestAgent
  let serve: Break['serve'] = breaks['answers and resets'].serve

  beforeAll(async () => {
    control = await makeTestControl()
    bench = await TestBench.make(control)
    const [http, tls, tcp] = [await freePort(), await freePort(), await freePort()]
    const start = (instance: string) =>
      bench.startRelay({
        instance,
        dataDir: join(bench.dataDir, instance),
        listen: {
          tls: { host, port: tls },
          http: { host, port: http },
          tcpHost: host,
          siblings: join(bench.dataDir, 'siblings'),
          own: { host, tlsPort: 0, httpPort: 0 },
        },
      })
    const [first, second] = [await start('r1'), await start('r2')]
    ports = { http: first.ports.own?.httpPort ?? 0, tls: first.ports.own?.tlsPort ?? 0, tcp }
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.once('data', () => serve(socket.pause()))
    })
    // The first one listens at the TCP port too, and then loses its agent.
    const ticket = (endpoint: string) =>
      control.ticket({ endpoint, ...(endpoint.startsWith('host') && { kind: 'http' as const }) })
    const tickets = [await ticket('host:a.tunnels.test'), await ticket(`tcp:c1:${tcp}`)]
    served = await dialAgent(second.ports.own?.tlsPort ?? 0, tickets[0] ?? '', upstreamPort)
    for (const [index, one] of tickets.entries()) await served.bind(index + 1, one)
    const lost = await dialAgent(first.ports.own?.tlsPort ?? 0, tickets[1] ?? '', upstreamPort)
    await lost.bind(1, tickets[1] ?? '')
    const closed = lost.heard('closed')
    lost.session.close('session.closed')
    await closed
  })
  afterAll(async () => {
    served?.session.close('session.closed')
    await bench?.close()
  })

  async function dialAgent(port: number, ticket: string, upstreamPort: number): Promise<TestAgent> {
    const { boot } = await control.synced(({ boot }) => boot.agentAddress.port === port)
    const { certificate } = boot.agentAddress
    return await TestAgent.dial(port, { ticket, upstreamPort, agentId, certificate })
  }

  describe.each(Object.entries(breaks))('an upstream that %s', (_, how) => {
    test.each(['http', 'https', 'tcp'] as const)(
      `%s: the answer arrives, ${count} of ${count}`,
      async (kind) => {
        serve = how.serve
        const before = served.visitors.length
        const open = {
          http: () => dial({ host, port: ports.http }),
          https: () => dialTls({ host, port: ports.tls }, 'a.tunnels.test'),
          tcp: () => dial({ host, port: ports.tcp }),
        }[kind]
        expectAnswers(await heardOf(open, question('a.tunnels.test')))
        expect(served.visitors.length - before).toBe(count)
      },
    )
  })

  test(`the bytes of a visitor that resets arrive, ${count} of ${count}`, async () => {
    const heard: string[] = []
    serve = (socket) => {
      socket.write('welcome')
      void hear(socket).then(({ text }) => heard.push(text))
      socket.resume()
    }
    await repeat(count, async () => {
      const socket = await dial({ host, port: ports.tcp })
      socket.on('error', () => undefined)
      socket.write('hello')
      await within(once(socket, 'data'), 'the welcome')
      await new Promise((resolve) => socket.write('x'.repeat(1_000), resolve))
      socket.resetAndDestroy()
    })
    await eventually('all are heard', () => heard.length === count || undefined)
    expect(heard.filter((text) => text.length === 1_000)).toHaveLength(count)
  })
})

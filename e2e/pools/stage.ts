/** A relay with small limits, the tenant that is served, and the connections of the one that fills a pool. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { freePort } from '@porttunneler/shared/testing/ports'
import { encodeHop } from '../../relay-vm/hop-header.ts'
import { makeTestControl, openPolicy, type TestControl } from '../../relay-vm/testing/test-control.ts'
import { agentSni, type TestAgent, TestBench } from '../../relay-vm/testing/test-relay.ts'
import { within } from '../harness/events.ts'
import { readBytes } from '../harness/sockets.ts'

const host = '127.0.0.1'
/** The networks of the two, as a relay sees them. */
export const greedyAddress = '127.66.0.2'
export const guestAddress = '127.77.0.2'
export const guestHost = 'guest.tunnels.test'
/** The account that fills a pool; the guest has the test control's. */
export const greedyAccount = newId('acc', 666)

const freely = { perMinute: 6_000_000, burst: 1_000_000 }
const wide = { exempt: [], source: freely, handshakes: { source: freely } }
export type Ports = Awaited<ReturnType<TestBench['startRelay']>>['ports']

export class Stage {
  readonly control: TestControl
  readonly bench: TestBench
  readonly ports: Ports
  readonly agent: TestAgent
  readonly echoPort: number
  readonly upstreamPort: number
  readonly #held = new Set<Socket>()
  /** What the greedy tenant was refused by an answer. */
  turnedAway = 0

  private constructor(
    made: Pick<Stage, 'control' | 'bench' | 'ports' | 'agent' | 'echoPort' | 'upstreamPort'>,
  ) {
    this.control = made.control
    this.bench = made.bench
    this.ports = made.ports
    this.agent = made.agent
    this.echoPort = made.echoPort
    this.upstreamPort = made.upstreamPort
  }

  /** @param policy of the guest's tunnels; `hasSiblings`: other processes may hand visitors over, at `hopPath` */
  static async open({
    limits = {},
    policy = {},
    hasSiblings = false,
    ...changes
  }: {
    limits?: Record<string, unknown>
    policy?: Partial<typeof openPolicy>
    hasSiblings?: boolean
    [key: string]: unknown
  } = {}): Promise<Stage> {
    const control = await makeTestControl()
    const bench = await TestBench.make(control)
    const any = { host, port: 0 }
    const listen = { tls: any, http: any, tcpHost: host, siblings: join(bench.dataDir, 'siblings') }
    const { ports } = await bench.startRelay({
      limits: { ...wide, ...limits },
      ...(hasSiblings && { listen }),
      ...changes,
    })
    const upstreamPort = await bench.startUpstream((socket) => {
      socket.on('data', (bytes: Buffer) => {
        if (bytes.toString('latin1').startsWith('GET')) socket.end(answer)
        else socket.write(bytes)
      })
      socket.on('end', () => socket.end())
    })
    const echoPort = await freePort()
    const rules = { policy: { ...openPolicy, ...policy } }
    const ticket = await control.ticket({ endpoint: `tcp:c1:${echoPort}`, ...rules })
    const agent = await bench.dial(ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    await agent.bind(2, await control.ticket({ endpoint: `host:${guestHost}`, ...rules }))
    return new Stage({ control, bench, ports, agent, echoPort, upstreamPort })
  }

  async close(): Promise<void> {
    for (const socket of this.#held) socket.destroy()
    await this.bench.close()
  }

  /** A tunnel of the greedy tenant. @returns its port */
  async greedyTunnel(account = greedyAccount): Promise<number> {
    const port = await freePort()
    const agent = newId('agt', 666)
    const ticket = await this.control.ticket({ endpoint: `tcp:c1:${port}`, account, agent })
    const dialled = await this.bench.dial(this.ports, {
      ticket,
      upstreamPort: this.upstreamPort,
      agentId: agent,
    })
    await dialled.bind(1, ticket)
    return port
  }

  /**
   * Connects `count` times and sends `first`, to which the relay answers; the connections stay as long as it leaves
   * them.
   */
  async hold(port: number, { count, first }: { count: number; first?: Buffer | string }): Promise<void> {
    const connected = Array.from({ length: count }, async () => {
      const socket = connect({ port, host, localAddress: greedyAddress })
      this.#held.add(socket)
      socket.on('error', () => undefined).once('close', () => this.#held.delete(socket))
      socket.resume()
      await whenEither(socket, 'connect', 'close')
      if (first === undefined || socket.destroyed) return
      socket.write(first)
      await whenEither(socket, 'data', 'close')
    })
    await within(Promise.all(connected), `${count} connections of the greedy tenant`)
  }

  get hopPath(): string {
    return join(this.bench.dataDir, 'siblings', 'r1.sock')
  }

  /** Other processes of the machine that say nothing. */
  async holdHops(count: number): Promise<void> {
    const connected = Array.from({ length: count }, async () => {
      const socket = connect(this.hopPath)
      this.#held.add(socket)
      socket
        .on('error', () => undefined)
        .once('close', () => {
          this.turnedAway += 1
          this.#held.delete(socket)
        })
      socket.resume()
      await whenEither(socket, 'connect', 'close')
    })
    await within(Promise.all(connected), `${count} processes that say nothing`)
  }

  /** A visitor of the guest's tcp tunnel, whom another process hands over, gets four bytes back. */
  async pingByHop(): Promise<void> {
    const socket = connect(this.hopPath)
    try {
      const taken = readBytes(socket, 1)
      const origin = { address: guestAddress, port: 5_000, localPort: 80 }
      socket.write(encodeHop({ kind: 'raw', endpoint: `tcp:c1:${this.echoPort}`, origin }))
      await within(taken, 'the consent')
      const echoed = readBytes(socket, 4)
      socket.write('ping')
      await within(echoed, 'the echo')
    } finally {
      socket.destroy()
    }
  }

  /** TLS connections of agents that say nothing. */
  async holdAgents(count: number): Promise<void> {
    const connected = Array.from({ length: count }, async () => {
      const socket = connectTls({
        port: this.ports.tlsPort,
        host,
        servername: agentSni,
        ALPNProtocols: ['porttunneler'],
        rejectUnauthorized: false,
        // The option is passed on to the socket below.
        ...{ localAddress: greedyAddress },
      })
      this.#held.add(socket)
      socket.on('error', () => undefined).once('close', () => this.#held.delete(socket))
      socket.resume()
      await whenEither(socket, 'secureConnect', 'close')
    })
    await within(Promise.all(connected), `${count} agents that say nothing`)
  }

  /** How many the relay has turned away with this code, at all tunnels. */
  async refused(key: ErrorKey): Promise<number> {
    const text = await (await fetch(`http://${host}:${this.ports.adminPort}/metrics`)).text()
    const found = text.matchAll(/^ptun_refused_total\{[^}]*code="(PT-\d+)"\} (\d+)$/gm)
    return [...found].reduce(
      (sum, [, code, count]) => (code === codes[key].code ? sum + Number(count) : sum),
      0,
    )
  }

  /** A new visitor of the guest's tcp tunnel gets four bytes back. `header` goes before them. */
  async ping({ header = '', from = guestAddress, port = this.echoPort } = {}): Promise<void> {
    const socket = connect({ port, host, localAddress: from, noDelay: true })
    try {
      const echoed = readBytes(socket, 4)
      socket.write(`${header}ping`)
      await within(echoed, 'the echo')
    } finally {
      socket.destroy()
    }
  }

  /** A new visitor of the guest's http tunnel gets its answer. */
  async ask(): Promise<void> {
    const socket = connect({ port: this.ports.httpPort, host, localAddress: guestAddress, noDelay: true })
    await this.#askOver(socket)
  }

  /** The same by TLS. */
  async askTls(): Promise<void> {
    const below = connect({ port: this.ports.tlsPort, host, localAddress: guestAddress, noDelay: true })
    await this.#askOver(connectTls({ socket: below, servername: guestHost, rejectUnauthorized: false }))
  }

  async #askOver(socket: Socket): Promise<void> {
    try {
      const answered = readBytes(socket, answer.length)
      socket.write(`GET / HTTP/1.1\r\nHost: ${guestHost}\r\n\r\n`)
      const text = String(await within(answered, 'the answer'))
      if (!text.startsWith('HTTP/1.1 200')) throw new Error(text)
    } finally {
      socket.destroy()
    }
  }

  /** A further agent of the guest comes, serves a tunnel and goes. */
  async serveTunnel(): Promise<void> {
    const agentId = newId('agt', 7)
    const ticket = await this.control.ticket({
      endpoint: `host:${agentId.slice(4)}.tunnels.test`,
      agent: agentId,
    })
    const agent = await within(this.bench.dial(this.ports, { ticket, agentId }), 'an agent of the guest')
    await within(agent.bind(1, ticket), 'the binding of the guest')
    agent.session.close('session.closed')
  }
}

function whenEither(socket: Socket, one: string, other: string): Promise<void> {
  return new Promise((resolve) => void socket.once(one, resolve).once(other, resolve))
}

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'

/** The first bytes of a TLS client. */
export async function clientHello(servername: string, protocol?: string): Promise<Buffer> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connectTls({
    port,
    host,
    servername,
    minVersion: 'TLSv1.3',
    ...(protocol !== undefined && { ALPNProtocols: [protocol] }),
  })
  client.on('error', () => undefined)
  const [socket]: Socket[] = await once(server, 'connection')
  const [bytes]: Buffer[] = await once(socket as Socket, 'data')
  client.destroy()
  socket?.destroy()
  server.close()
  return bytes as Buffer
}

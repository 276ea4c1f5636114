/** A relay on free ports, and an agent for it, for tests over real sockets. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { Budget } from '@porttunneler/shared/mux/budget'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { Session } from '@porttunneler/shared/mux/session'
import { Splice } from '@porttunneler/shared/mux/splice'
import { Turn } from '@porttunneler/shared/mux/turn'
import { parseConfig } from '../config.ts'
import { Relay, type RelayOptions } from '../relay.ts'
import type { RelayPorts } from '../running.ts'
import { agent, type TestControl } from './test-control.ts'

export const agentSni = 'r1.relay.tunnels.test'
export const ownName = 'relay.tunnels.test'

export function testConfig(dataDir: string, changes: Record<string, unknown> = {}) {
  const host = '127.0.0.1'
  const config = {
    instance: 'r1',
    dataDir,
    controlUrl: 'http://control.test',
    enrolmentKey: 'pte_test',
    listen: { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host },
    public: { agentHost: host, agentSni, names: [ownName, host], domain: 'tunnels.test' },
    ...changes,
  }
  return parseConfig(JSON.stringify(config), {})
}

/** Everything that one test makes; `close` ends it all. */
export class TestBench {
  readonly control: TestControl
  readonly dataDir: string
  readonly #closers: (() => Promise<unknown> | unknown)[] = []

  private constructor(control: TestControl, dataDir: string) {
    this.control = control
    this.dataDir = dataDir
  }

  static async make(control: TestControl): Promise<TestBench> {
    return new TestBench(control, await mkdtemp(join(tmpdir(), 'ptun-relay-')))
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.reverse()) await closer()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  async startRelay(
    changes: Record<string, unknown> = {},
    options: Partial<RelayOptions> = {},
  ): Promise<{ relay: Relay; ports: RelayPorts }> {
    const relay = new Relay({
      config: testConfig(this.dataDir, changes),
      log: silentLog,
      random: Math.random,
      control: this.control,
      ...options,
    })
    this.#closers.push(() => relay.close())
    return { relay, ports: await relay.start() }
  }

  /** A local service that answers each connection with `serve`. */
  async startUpstream(serve: (socket: Socket) => void): Promise<number> {
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      serve(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#closers.push(() => server.close())
    return (server.address() as AddressInfo).port
  }

  /** An agent that dials `upstreamPort` for every visitor. */
  async dial(
    { tlsPort }: RelayPorts,
    {
      ticket,
      upstreamPort = 1,
      agentId = agent,
    }: { ticket: string; upstreamPort?: number; agentId?: string },
  ): Promise<TestAgent> {
    const dialled = await TestAgent.dial(tlsPort, {
      ticket,
      upstreamPort,
      agentId,
      certificate: this.control.requests.at(-1)?.boot.agentAddress.certificate,
    })
    this.#closers.push(() => dialled.session.close('session.closed'))
    return dialled
  }
}

export type AgentEvent =
  | { readonly kind: 'bound'; readonly bind: number; readonly endpoint: string }
  | { readonly kind: 'unbound'; readonly bind: number; readonly code: string }
  | { readonly kind: 'goAway'; readonly code: string }
  | { readonly kind: 'closed'; readonly key: string }

/** The agent's end: a real session, with upstreams joined by splice. */
export class TestAgent {
  readonly session: Session
  /** In the order of their OPEN. */
  readonly visitors: readonly OpenInfo[]
  /** All events so far, in order. */
  readonly events: readonly AgentEvent[]
  readonly #waiting: Set<() => void>

  private constructor(
    session: Session,
    visitors: readonly OpenInfo[],
    events: readonly AgentEvent[],
    waiting: Set<() => void>,
  ) {
    this.session = session
    this.visitors = visitors
    this.events = events
    this.#waiting = waiting
  }

  static async dial(
    port: number,
    options: {
      ticket: string
      upstreamPort: number
      agentId: string
      certificate: string | undefined
      sni?: string
      host?: string
    },
  ): Promise<TestAgent> {
    const events: AgentEvent[] = []
    const visitors: OpenInfo[] = []
    const waiting = new Set<() => void>()
    const say = (event: AgentEvent) => {
      events.push(event)
      for (const wake of waiting) wake()
    }
    const turn = new Turn()
    const session = await dialRelay({
      clock: systemClock,
      turn,
      budget: new Budget(64 * 1024 * 1024),
      liveness: new Liveness({ clock: systemClock, side: 'agent' }),
      address: {
        host: options.host ?? '127.0.0.1',
        port,
        sni: options.sni ?? agentSni,
        certificate: options.certificate,
      },
      ticket: options.ticket,
      agent: options.agentId,
      build: 'test',
      random: Math.random,
      signal: AbortSignal.timeout(10_000),
      events: {
        onOpen(stream, info) {
          visitors.push(info)
          const socket = connect({ port: options.upstreamPort, host: '127.0.0.1', allowHalfOpen: true })
          socket.once('connect', () => stream.opened(1))
          return new Splice(socket, stream, {
            turn,
            clock: systemClock,
            keyOf: () => 'upstream.refused',
            onEnd() {},
          })
        },
        onBound: (bind, endpoint) => say({ kind: 'bound', bind, endpoint }),
        onUnbound: (bind, code) => say({ kind: 'unbound', bind, code }),
        onGoAway: (code) => say({ kind: 'goAway', code }),
        onClosed: (reason) => say({ kind: 'closed', key: reason.key }),
      },
    })
    return new TestAgent(session, visitors, events, waiting)
  }

  /** The first event of a kind, for a binding, at an endpoint, now or when it comes. */
  async heard<K extends AgentEvent['kind']>(
    kind: K,
    bind?: number,
    endpoint?: string,
  ): Promise<Extract<AgentEvent, { kind: K }>> {
    for (;;) {
      const found = this.events.find(
        (event) =>
          event.kind === kind &&
          (bind === undefined || ('bind' in event && event.bind === bind)) &&
          (endpoint === undefined || ('endpoint' in event && event.endpoint === endpoint)),
      )
      if (found !== undefined) return found as Extract<AgentEvent, { kind: K }>
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  async bind(bind: number, ticket: string): Promise<string> {
    this.session.bind(bind, ticket)
    return (await this.heard('bound', bind)).endpoint
  }
}

/** All bytes of a socket until it ends; rejects when it is reset. */
export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

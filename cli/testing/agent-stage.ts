/** An agent on a stage: control plane and relays answer what the test tells them, and the test moves the clock. */
import type { ClaimResult, Lease, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { codes, type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { Turn } from '@porttunneler/shared/mux/turn'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import type { AgentEvent } from '../agent/events.ts'
import type { ClaimRequest, LeaseApi, ReleaseRequest, RenewRequest, ReportRequest } from '../agent/home.ts'
import type { AgentSession, AgentSessionEvents, DialRelay } from '../agent/relay-runner-options.ts'
import { Supervisor } from '../agent/supervisor.ts'
import type { SupervisorOptions } from '../agent/supervisor-options.ts'
import type { SavedLease, WantedTunnel } from '../agent/tunnels.ts'

export const relayOne: RelayAddress = { instance: 'one', host: '127.0.0.1', port: 1, sni: 'one.test' }
export const relayTwo: RelayAddress = { instance: 'two', host: '127.0.0.1', port: 2, sni: 'two.test' }

export const renewInMs = 1_800_000
const ticketMs = 3_600_000

/** Grants every request unless told otherwise. */
export class FakeHome implements LeaseApi {
  readonly claims: ClaimRequest[] = []
  readonly renewals: RenewRequest[] = []
  readonly releases: ReleaseRequest[] = []
  readonly reports: ReportRequest[] = []
  /** While set, releases take as long as this. */
  releasing: Promise<void> | undefined
  relays: readonly RelayAddress[] = [relayOne]
  /** The relays' cell; undefined: as on an older server, which names no cell. */
  cell: string | undefined
  /** Tunnels in other cells, by name. */
  readonly cellOf = new Map<string, { readonly cell: string; readonly relays: RelayAddress[] }>()
  /** While set, every call rejects with it. */
  failure: ErrorKey | undefined
  /** While set, this many renewals succeed and the others fail. */
  failAfter: number | undefined
  /** Refused tunnels, by name. */
  readonly refusals = new Map<string, ErrorKey>()
  /** For refusals, in seconds. */
  retryAfter: number | undefined
  readonly #clock: FakeClock
  #tickets = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.claims.push(request)
    return this.#answer(request.tunnels.map(({ name, kind }) => this.#result(name ?? 'made-up', kind)))
  }

  async renew(request: RenewRequest): Promise<ClaimResult> {
    this.renewals.push(request)
    if (this.failAfter !== undefined && this.failAfter-- <= 0) throw fail('server.unreachable')
    return this.#answer(request.leases.map(({ tunnel }) => this.#result(tunnel.slice(4), 'http')))
  }

  async release(request: ReleaseRequest): Promise<void> {
    this.releases.push(request)
    await this.releasing
    if (this.failure) throw fail(this.failure)
  }

  async report(request: ReportRequest): Promise<void> {
    this.reports.push(request)
    if (this.failure) throw fail(this.failure)
  }

  lease(name: string, kind: TunnelKind): Lease {
    this.#tickets += 1
    const now = this.#clock.now()
    const cell = this.cellOf.get(name)?.cell ?? this.cell
    return {
      ...(cell !== undefined && { cell }),
      tunnel: `tun_${name}`,
      name,
      kind,
      endpoint: { id: `host:${name}.test`, url: `http://${name}.test`, host: `${name}.test`, port: 80 },
      agents: 'one',
      epoch: 1,
      expiresAt: now + 2 * ticketMs,
      ticket: `ticket-${this.#tickets}`,
      ticketExpiresAt: now + ticketMs,
    }
  }

  #result(name: string, kind: TunnelKind): ClaimResult['results'][number] {
    const key = this.refusals.get(name)
    if (!key) return { lease: this.lease(name, kind) }
    const { code, title, http, cause } = codes[key]
    const { retryAfter } = this
    return {
      problem: {
        type: 'about:blank',
        title,
        status: http,
        code,
        detail: cause,
        ...(retryAfter && { retryAfter }),
      },
    }
  }

  #answer(results: ClaimResult['results']): ClaimResult {
    if (this.failure) throw fail(this.failure)
    const { cell } = this
    const leased = results.flatMap((result) => ('lease' in result ? [result.lease.cell] : []))
    const otherCells = [...this.cellOf.values()].filter((other) => leased.includes(other.cell))
    return {
      relays: [...this.relays],
      ...(cell !== undefined && { cell }),
      ...(otherCells.length > 0 && { otherCells }),
      results,
      renewInMs,
    }
  }
}

/** The agent's end of a session, as the relay's side of the test sees it. */
export class FakeSession implements AgentSession {
  state: 'open' | 'draining' | 'closed' = 'open'
  activeStreams = 0
  rttMs = 12
  readonly instance: string
  readonly events: AgentSessionEvents
  readonly binds: [bind: number, ticket: string][] = []
  readonly unbinds: number[] = []

  constructor(instance: string, events: AgentSessionEvents) {
    this.instance = instance
    this.events = events
  }

  bind(bind: number, ticket: string): void {
    this.binds.push([bind, ticket])
  }

  unbind(bind: number): void {
    this.unbinds.push(bind)
  }

  probes = 0

  probe(): void {
    this.probes += 1
  }

  goAway(): void {
    this.state = 'draining'
  }

  close(key: ErrorKey): void {
    this.lose(key)
  }

  /** The connection is gone. */
  lose(key: ErrorKey): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.events.onClosed(fail(key))
  }

  /** Grants everything that was requested. */
  grant(): void {
    for (const [bind] of this.binds) this.events.onBound(bind, 'host:web.test')
  }

  refuse(bind: number, key: ErrorKey): void {
    this.events.onUnbound(bind, codes[key].code, codes[key].cause)
  }
}

export type Stage = {
  readonly clock: FakeClock
  readonly home: FakeHome
  readonly events: AgentEvent[]
  /** Every session that was ever made, in order. */
  readonly sessions: FakeSession[]
  readonly dials: { instance: string; ticket: string }[]
  /** While set, relays refuse with it, or only the one that it names. */
  relayFailure: { key: ErrorKey; retryAfterMs?: number; of?: string } | undefined
  readonly saved: Map<number, SavedLease>
  readonly supervisor: Supervisor
  names(): readonly string[]
}

export const web: WantedTunnel = { name: 'web', kind: 'http', upstream: { host: 'localhost', port: 3000 } }

export function setStage(options: Partial<SupervisorOptions> = {}): Stage {
  const clock = new FakeClock()
  const home = new FakeHome(clock)
  const events: AgentEvent[] = []
  const sessions: FakeSession[] = []
  const dials: { instance: string; ticket: string }[] = []
  const saved = new Map<number, SavedLease>()
  const dial: DialRelay = async (address, { ticket, events: handlers }) => {
    dials.push({ instance: address.instance, ticket })
    const { relayFailure } = stage
    if (relayFailure && (relayFailure.of ?? address.instance) === address.instance)
      throw fail(relayFailure.key, undefined, { fields: relayFailure })
    const session = new FakeSession(address.instance, handlers)
    sessions.push(session)
    return session
  }
  const supervisor = new Supervisor({
    agent: 'agt_test',
    server: 'http://server.test',
    pid: 1,
    wanted: [web],
    takeover: false,
    api: home,
    dial,
    turn: new Turn(),
    clock,
    random: () => 0,
    emit: (event) => events.push(event),
    saved: [],
    save: (index, lease) => saved.set(index, lease),
    retire: ({ name }) => {
      for (const [index, kept] of saved)
        if (kept.lease.name === name)
          saved.set(index, { ...kept, lease: { ...kept.lease, ticketExpiresAt: 0 } })
    },
    forget: ({ name }) => {
      for (const [index, { lease }] of saved) if (lease.name === name) saved.delete(index)
    },
    ...options,
  })
  const stage: Stage = {
    clock,
    home,
    events,
    sessions,
    dials,
    relayFailure: undefined,
    saved,
    supervisor,
    names: () => events.map(({ event }) => event),
  }
  return stage
}

/** Lets everything that only waits for promises go on. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}

// --- guarantees ---

export async function online(stage: Stage): Promise<void> {
  stage.supervisor.start()
  await settle()
  stage.sessions[0]?.grant()
}

export const tunnelOf = ({ supervisor }: Stage, index = 0) => supervisor.snapshot().tunnels[index]

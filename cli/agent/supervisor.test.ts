import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { ClaimResult, Lease, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { codes, type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { Turn } from '@porttunneler/shared/mux/turn'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor, muxPair, Recorder } from '@porttunneler/shared/testing/mux-pair'
import { describe, expect, test } from 'vitest'
import type { AgentEvent } from './events.ts'
import type { ClaimRequest, LeaseApi, RenewRequest } from './home.ts'
import type { AgentSession, AgentSessionEvents, DialRelay } from './relay-runner.ts'
import { Supervisor, type SupervisorOptions } from './supervisor.ts'
import type { SavedLease, WantedTunnel } from './tunnels.ts'

// --- a control plane and relays that answer what the test tells them to ---

const relayOne: RelayAddress = { instance: 'one', host: '127.0.0.1', port: 1, sni: 'one.test' }
const relayTwo: RelayAddress = { instance: 'two', host: '127.0.0.1', port: 2, sni: 'two.test' }

const renewInMs = 1_800_000
const ticketMs = 3_600_000

/** Grants what is asked for unless told otherwise. */
class FakeHome implements LeaseApi {
  readonly claims: ClaimRequest[] = []
  readonly renewals: RenewRequest[] = []
  relays: readonly RelayAddress[] = [relayOne]
  /** While set, every call rejects with it. */
  failure: ErrorKey | undefined
  /** Tunnels that are refused, by name. */
  readonly refusals = new Map<string, ErrorKey>()
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
    return this.#answer(request.leases.map(({ tunnel }) => this.#result(tunnel.slice(4), 'http')))
  }

  lease(name: string, kind: TunnelKind): Lease {
    this.#tickets += 1
    const now = this.#clock.now()
    return {
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
    return { problem: { type: 'about:blank', title, status: http, code, detail: cause } }
  }

  #answer(results: ClaimResult['results']): ClaimResult {
    if (this.failure) throw fail(this.failure)
    return { relays: [...this.relays], results, renewInMs }
  }
}

/** The agent's end of a session, as the relay's side of the test sees it. */
class FakeSession implements AgentSession {
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

  /** Grants everything that was asked for. */
  grant(): void {
    for (const [bind] of this.binds) this.events.onBound(bind, 'host:web.test')
  }

  refuse(bind: number, key: ErrorKey): void {
    this.events.onUnbound(bind, codes[key].code, codes[key].cause)
  }
}

type Stage = {
  readonly clock: FakeClock
  readonly home: FakeHome
  readonly events: AgentEvent[]
  /** Every session that was ever made, in order. */
  readonly sessions: FakeSession[]
  readonly dials: { instance: string; ticket: string }[]
  /** While set, relays refuse with it. */
  relayFailure: { key: ErrorKey; retryAfterMs?: number } | undefined
  readonly saved: Map<number, SavedLease>
  readonly supervisor: Supervisor
  names(): readonly string[]
}

const web: WantedTunnel = { name: 'web', kind: 'http', upstream: { host: 'localhost', port: 3000 } }

function setStage(options: Partial<SupervisorOptions> = {}): Stage {
  const clock = new FakeClock()
  const home = new FakeHome(clock)
  const events: AgentEvent[] = []
  const sessions: FakeSession[] = []
  const dials: { instance: string; ticket: string }[] = []
  const saved = new Map<number, SavedLease>()
  const dial: DialRelay = async (address, { ticket, events: handlers }) => {
    dials.push({ instance: address.instance, ticket })
    const { relayFailure } = stage
    if (relayFailure) throw fail(relayFailure.key, undefined, { fields: relayFailure })
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

/** Lets everything that waits for promises only go on. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}

// --- guarantees ---

async function online(stage: Stage): Promise<void> {
  stage.supervisor.start()
  await settle()
  stage.sessions[0]?.grant()
}

const tunnelOf = ({ supervisor }: Stage, index = 0) => supervisor.snapshot().tunnels[index]

describe('supervisor: coming up', () => {
  test('a shared tunnel is asked for as such, and told as such; another is left as its owner set it', async () => {
    const stage = setStage({
      wanted: [
        { ...web, isPool: true },
        { ...web, name: 'api' },
      ],
    })
    await online(stage)
    expect(stage.home.claims[0]?.tunnels.map(({ agents }) => agents)).toEqual(['many', undefined])
    expect(tunnelOf(stage, 1)?.isShared).toBe(false)
  })

  test('all tunnels are claimed in one call and bound at every relay', async () => {
    const api = { ...web, name: 'api' }
    const stage = setStage({ wanted: [web, api] })
    stage.home.relays = [relayOne, relayTwo]
    stage.supervisor.start()
    await settle()
    expect(stage.home.claims).toHaveLength(1)
    expect(stage.home.claims[0]?.tunnels.map(({ name }) => name)).toEqual(['web', 'api'])
    expect(stage.sessions.map(({ instance }) => instance)).toEqual(['one', 'two'])
    for (const { binds } of stage.sessions)
      expect(binds).toEqual([
        [1, 'ticket-1'],
        [2, 'ticket-2'],
      ])
  })

  test('a tunnel is online once, with the first relay that has it', async () => {
    const stage = setStage()
    stage.home.relays = [relayOne, relayTwo]
    stage.supervisor.start()
    await settle()
    expect(tunnelOf(stage)?.state).toBe('connecting')
    for (const session of stage.sessions) session.grant()
    expect(stage.names().filter((name) => name === 'tunnel.online')).toHaveLength(1)
    expect(tunnelOf(stage)).toMatchObject({ state: 'online', url: 'http://web.test', relays: 2 })
  })

  test('an absent server is waited for, and told once', async () => {
    const stage = setStage()
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await stage.clock.advanceAsync(60_000, 100)
    expect(stage.home.claims.length).toBeGreaterThan(5)
    expect(stage.names().filter((name) => name === 'server.lost')).toHaveLength(1)
    stage.home.failure = undefined
    await stage.clock.advanceAsync(20_000, 500)
    stage.sessions[0]?.grant()
    expect(stage.names()).toContain('server.found')
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('the first tries come after 200 ms each, later ones are at most 20 s apart', async () => {
    const stage = setStage()
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await stage.clock.advanceAsync(650, 50)
    expect(stage.home.claims).toHaveLength(4)
    await stage.clock.advanceAsync(600_000, 1_000)
    const before = stage.home.claims.length
    await stage.clock.advanceAsync(20_000, 1_000)
    expect(stage.home.claims.length - before).toBe(1)
  })

  test('a saved ticket is bound while the server is away', async () => {
    const before = setStage()
    await online(before)
    const saved = before.saved.get(0) as SavedLease
    const stage = setStage({ saved: [saved] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    expect(stage.sessions[0]?.binds).toEqual([[1, saved.lease.ticket]])
    stage.sessions[0]?.grant()
    expect(tunnelOf(stage)).toMatchObject({ state: 'online', url: saved.lease.endpoint.url })
  })

  test('a saved ticket that has expired is not shown to anybody', async () => {
    const before = setStage()
    await online(before)
    const { lease, relays } = before.saved.get(0) as SavedLease
    const stage = setStage({ saved: [{ lease: { ...lease, ticketExpiresAt: 1 }, relays }] })
    stage.home.failure = 'server.unreachable'
    stage.supervisor.start()
    await settle()
    expect(stage.dials).toEqual([])
  })
})

describe('supervisor: staying up', () => {
  test('leases are renewed in one call at the time the server named, and relays see the new ticket', async () => {
    const stage = setStage()
    await online(stage)
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.renewals).toEqual([{ agent: 'agt_test', leases: [{ tunnel: 'tun_web', epoch: 1 }] }])
    expect(stage.sessions[0]?.binds.at(-1)).toEqual([1, 'ticket-2'])
    expect(stage.saved.get(0)?.lease.ticket).toBe('ticket-2')
  })

  test('a laptop that slept past the renewal renews within 10 s of waking', async () => {
    const stage = setStage()
    await online(stage)
    stage.clock.jump(4 * 3_600_000)
    await stage.clock.advanceAsync(10_000, 1_000)
    expect(stage.home.renewals).toHaveLength(1)
  })

  test('a lease that lapsed is claimed anew', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.refusals.set('web', 'lease.gone')
    await stage.clock.advanceAsync(renewInMs, 5_000)
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(stage.home.claims.at(-1)?.tunnels[0]?.name).toBe('web')
    expect(tunnelOf(stage)?.problem).toBeUndefined()
  })

  test('a lost relay is dialled for ever, and the tunnel comes back', async () => {
    const stage = setStage()
    await online(stage)
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.sessions[0]?.lose('carrier.lost')
    expect(tunnelOf(stage)?.state).toBe('connecting')
    await stage.clock.advanceAsync(3_600_000, 1_000)
    expect(stage.dials.length).toBeGreaterThan(150)
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(20_000, 1_000)
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.names().filter((name) => name === 'tunnel.online')).toHaveLength(2)
  })

  test('a retry-after of the relay is obeyed', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'relay.starting', retryAfterMs: 30_000 }
    stage.supervisor.start()
    await stage.clock.advanceAsync(29_000, 500)
    expect(stage.dials).toHaveLength(1)
    await stage.clock.advanceAsync(2_000, 500)
    expect(stage.dials).toHaveLength(2)
  })

  test('a draining relay keeps its streams while a new session is made beside it', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.events.onGoAway('PT-3020', 60_000, 500)
    await stage.clock.advanceAsync(600, 100)
    expect(stage.sessions).toHaveLength(2)
    expect(stage.sessions[0]?.state).toBe('open')
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('a relay with a successor serves until that one does: the tunnel is online all the time', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    const [, next] = stage.sessions
    expect(next?.binds).toHaveLength(1)
    expect([tunnelOf(stage)?.state, old?.unbinds]).toEqual(['online', []])
    next?.grant()
    await stage.clock.advanceAsync(1_900, 100)
    expect(old?.unbinds, 'a visitor may be on the way to it').toEqual([])
    await stage.clock.advanceAsync(200, 100)
    expect(old?.unbinds, 'nobody needs it any more').toEqual([1])
    old?.events.onGoAway('PT-3020', 60_000, 200)
    old?.lose('relay.draining')
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.names()).not.toContain('tunnel.offline')
    expect(stage.names()).not.toContain('relay.lost')
    expect(stage.sessions).toHaveLength(2)
  })

  test('an old relay that ends early takes nothing away from its successor', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    stage.sessions[1]?.grant()
    old?.lose('carrier.lost')
    expect(tunnelOf(stage)?.state).toBe('online')
    await stage.clock.advanceAsync(3_000, 100)
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('a successor that cannot be reached is tried on; the tunnel is offline when the old one ends', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    stage.relayFailure = { key: 'relay.unreachable' }
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10_000, 100)
    // Said again after a connection was lost.
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    expect(tunnelOf(stage)?.state).toBe('online')
    old?.events.onGoAway('PT-3020', 60_000, 200)
    expect(tunnelOf(stage)?.state).toBe('connecting')
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(30_000, 100)
    stage.sessions[1]?.grant()
    expect(tunnelOf(stage)?.state).toBe('online')
  })

  test('what the successor refuses, the old one serves no more', async () => {
    const stage = setStage()
    await online(stage)
    const [old] = stage.sessions
    old?.events.onGoAway(codes['relay.replaced'].code, 60_000, 0)
    await stage.clock.advanceAsync(10, 10)
    stage.sessions[1]?.refuse(1, 'session.superseded')
    await stage.clock.advanceAsync(10, 10)
    expect(old?.unbinds).toContain(1)
    expect(tunnelOf(stage)?.state).toBe('stopped')
  })

  test('the directory may name a relay anew: at the same address it is the same one', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = stage.home.relays.map((relay) => ({ ...relay, instance: 'renamed' }))
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.sessions).toHaveLength(1)
    expect(stage.sessions[0]?.state).toBe('open')
  })

  test('a relay that stays lost is asked for at home: soon, then ever more rarely', async () => {
    const stage = setStage({ random: () => 0.5 })
    await online(stage)
    const renewals = () => stage.home.renewals.length
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.sessions[0]?.lose('carrier.lost')
    await stage.clock.advanceAsync(3_100, 100)
    expect(renewals()).toBe(1)
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(15_100, 100)
    expect(stage.dials.at(-1)?.instance).toBe('two')
    stage.relayFailure = undefined
    await stage.clock.advanceAsync(30_000, 100)
    expect(stage.sessions.at(-1)?.instance).toBe('two')
    const found = renewals()
    await stage.clock.advanceAsync(300_000, 1_000)
    expect(renewals(), 'nothing is missing').toBe(found)
  })

  test('told by a relay that there are others, it asks where they are, once for many such words', async () => {
    const stage = setStage({ random: () => 0.5 })
    await online(stage)
    stage.home.relays = [...stage.home.relays, relayTwo]
    for (let n = 0; n < 3; n++)
      stage.sessions[0]?.events.onNotice(codes['relay.directory'].code, 'said by another version')
    await stage.clock.advanceAsync(14_000, 500)
    expect(stage.home.renewals).toHaveLength(0)
    await stage.clock.advanceAsync(2_000, 500)
    expect(stage.home.renewals).toHaveLength(1)
    expect(stage.sessions.map(({ instance }) => instance)).toEqual(['one', 'two'])
    expect(stage.sessions[0]?.state).toBe('open')
    expect(stage.names()).not.toContain('relay.notice')
  })

  test('a relay that left the directory is let go, a new one is dialled', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [gone, next] = stage.sessions
    expect([gone?.state, next?.instance]).toEqual(['open', 'two'])
    next?.grant()
    if (gone) gone.activeStreams = 1
    await stage.clock.advanceAsync(20_000, 5_000)
    expect(gone?.unbinds, 'the other one has it now').toEqual([1])
    expect(gone?.state, 'a visitor is still there').toBe('open')
    if (gone) gone.activeStreams = 0
    await stage.clock.advanceAsync(15_000, 5_000)
    expect(gone?.state).toBe('closed')
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('a relay that changes its address is found at both: what the one takes from the other ends nothing', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.relays = [{ ...relayTwo, instance: 'one' }]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [before, after] = stage.sessions
    after?.grant()
    before?.refuse(1, 'session.superseded')
    await stage.clock.advanceAsync(20_000, 5_000)
    expect([before?.state, tunnelOf(stage)?.state]).toEqual(['closed', 'online'])
    expect(stage.names()).not.toContain('tunnel.offline')
  })

  test('a relay that the directory names again before it was let go is kept, and has its tunnels again', async () => {
    const stage = setStage()
    await online(stage)
    const [first] = stage.home.relays
    stage.home.relays = [relayTwo]
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    const [old] = stage.sessions
    if (old) old.activeStreams = 1
    await stage.clock.advanceAsync(20_000, 5_000)
    const before = old?.binds.length ?? 0
    stage.home.relays = first ? [first, relayTwo] : []
    await stage.clock.advanceAsync(renewInMs, 5_000)
    expect(old?.state).toBe('open')
    expect(old?.binds.length).toBeGreaterThan(before)
    expect(stage.sessions).toHaveLength(2)
  })

  test('a claim of one tunnel does not put off the renewal of another', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    stage.home.refusals.set('api', 'quota.tunnels')
    await online(stage)
    await stage.clock.advanceAsync(renewInMs - 20_000, 1_000)
    stage.home.refusals.clear()
    await stage.clock.advanceAsync(25_000, 500)
    expect(stage.home.renewals.flatMap(({ leases }) => leases.map(({ tunnel }) => tunnel))).toContain(
      'tun_web',
    )
  })

  test('a relay that stays away is told once for each reason', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'relay.unreachable' }
    stage.supervisor.start()
    await stage.clock.advanceAsync(120_000, 1_000)
    stage.relayFailure = { key: 'relay.identity' }
    await stage.clock.advanceAsync(120_000, 1_000)
    const lost = stage.events.flatMap((event) => (event.event === 'relay.lost' ? [event.problem.code] : []))
    expect(lost).toEqual(['PT-3024', 'PT-3025'])
  })

  test('a ticket that relays go on refusing is not asked for more than twice a minute', async () => {
    const stage = setStage()
    stage.supervisor.start()
    await settle()
    for (let seconds = 0; seconds < 600; seconds += 1) {
      const [session] = stage.sessions
      const asked = session?.binds.length ?? 0
      if (asked > 0) session?.refuse(1, 'ticket.invalid')
      await stage.clock.advanceAsync(1_000, 1_000)
    }
    expect(stage.home.claims.length).toBeGreaterThan(10)
    expect(stage.home.claims.length).toBeLessThan(30)
  })

  test('a ticket that a relay refuses is replaced by a fresh one', async () => {
    const stage = setStage()
    stage.supervisor.start()
    await settle()
    stage.sessions[0]?.refuse(1, 'ticket.invalid')
    await stage.clock.advanceAsync(2_000, 100)
    expect(stage.home.claims).toHaveLength(2)
    expect(stage.sessions[0]?.binds.at(-1)).toEqual([1, 'ticket-2'])
  })
})

describe('supervisor: a session that outlives its connections', () => {
  test('without one its tunnels are connecting; with one again they are online, without a new dial', async () => {
    const stage = setStage({ wanted: [web] })
    await online(stage)
    const [session] = stage.sessions
    session?.events.onDetached()
    expect(stage.supervisor.snapshot()).toMatchObject({
      tunnels: [{ state: 'connecting' }],
      relays: [{ state: 'connecting', problem: { code: 'PT-3021' } }],
    })
    session?.events.onAttached()
    session?.events.onBound(1, 'host:web.test')
    expect(stage.supervisor.snapshot()).toMatchObject({
      tunnels: [{ state: 'online' }],
      relays: [{ state: 'connected' }],
    })
    expect(stage.sessions).toHaveLength(1)
  })
})

describe('supervisor: coming to an end', () => {
  test('a superseded tunnel stops with code 5, never claims again and forgets its ticket', async () => {
    const stage = setStage()
    await online(stage)
    stage.sessions[0]?.refuse(1, 'session.superseded')
    expect(await stage.supervisor.ended).toBe(5)
    expect(stage.saved.get(0)).toBeUndefined()
    await stage.clock.advanceAsync(3_600_000, 10_000)
    expect(stage.home.claims).toHaveLength(1)
    expect(stage.clock.pending).toBe(0)
  })

  test('a takeover is asked for once: what was taken from us since is not taken back', async () => {
    const stage = setStage({ takeover: true })
    await online(stage)
    stage.home.refusals.set('web', 'lease.gone')
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.claims.length).toBeGreaterThan(1)
    expect(stage.home.claims.map(({ takeover }) => takeover)).toEqual([
      true,
      ...stage.home.claims.slice(1).map(() => false),
    ])
  })

  test('one stopped tunnel leaves the others alone', async () => {
    const stage = setStage({ wanted: [web, { ...web, name: 'api' }] })
    await online(stage)
    stage.sessions[0]?.refuse(1, 'session.superseded')
    expect(stage.supervisor.snapshot().tunnels.map(({ state }) => state)).toEqual(['stopped', 'online'])
    await stage.clock.advanceAsync(renewInMs + 1_000, 5_000)
    expect(stage.home.renewals[0]?.leases.map(({ tunnel }) => tunnel)).toEqual(['tun_api'])
  })

  test('a refused claim that may pass is repeated, one that may not ends the agent', async () => {
    const stage = setStage()
    stage.home.refusals.set('web', 'quota.tunnels')
    stage.supervisor.start()
    await stage.clock.advanceAsync(5_000, 500)
    expect(stage.home.claims.length).toBeGreaterThan(1)
    expect(tunnelOf(stage)).toMatchObject({ state: 'waiting', problem: { code: 'PT-2201' } })
    stage.home.refusals.set('web', 'lease.held')
    await stage.clock.advanceAsync(60_000, 1_000)
    expect(await stage.supervisor.ended).toBe(5)
  })

  test('an authorisation failure ends an agent that serves nothing, with code 3', async () => {
    const stage = setStage()
    stage.home.failure = 'login.missing'
    stage.supervisor.start()
    expect(await stage.supervisor.ended).toBe(3)
  })

  test('an authorisation failure does not cut tunnels that are up', async () => {
    const stage = setStage()
    await online(stage)
    stage.home.failure = 'login.missing'
    await stage.clock.advanceAsync(renewInMs + 60_000, 5_000)
    expect(tunnelOf(stage)?.state).toBe('online')
    expect(stage.supervisor.snapshot().serverProblem?.code).toBe('PT-6020')
  })

  test('a version that no relay speaks ends the agent with code 4', async () => {
    const stage = setStage()
    stage.relayFailure = { key: 'hello.version' }
    stage.supervisor.start()
    expect(await stage.supervisor.ended).toBe(4)
  })

  test('draining unbinds, keeps the lease for the next start and leaves no timer behind', async () => {
    const stage = setStage()
    await online(stage)
    stage.supervisor.drain()
    expect(await stage.supervisor.ended).toBe(0)
    await settle()
    expect(stage.sessions[0]).toMatchObject({ unbinds: [1], state: 'closed' })
    expect(stage.saved.get(0)?.lease.name).toBe('web')
    expect(stage.names().slice(-2)).toEqual(['agent.draining', 'agent.stopped'])
    expect(stage.clock.pending).toBe(0)
  })

  test('draining lets an open connection finish; quitting resets it', async () => {
    const upstream = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {}).resume()
      socket.on('end', () => socket.end('bye'))
    }).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const { port } = upstream.address() as AddressInfo
    for (const isPatient of [true, false]) {
      const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port } }] })
      await online(stage)
      const onOpen = stage.sessions[0]?.events.onOpen
      const pair = muxPair({ clock: stage.clock, agent: onOpen ? { onOpen } : {} })
      const visitor = new Recorder()
      const opened = Promise.withResolvers<void>()
      visitor.stream = pair.relay.open(
        anyVisitor,
        Object.assign(visitor, { onOpened: () => opened.resolve() }),
      )
      await opened.promise
      stage.supervisor.drain()
      expect(stage.supervisor.snapshot()).toMatchObject({ state: 'draining', tunnels: [{ active: 1 }] })
      if (isPatient) visitor.stream.end()
      else stage.supervisor.end(130)
      await visitor.until(() => visitor.hasFin || visitor.resetCode !== undefined)
      expect(visitor.bytes.toString()).toBe(isPatient ? 'bye' : '')
      expect(visitor.hasFin).toBe(isPatient)
      expect(await stage.supervisor.ended).toBe(isPatient ? 0 : 130)
    }
    await new Promise((resolve) => upstream.close(resolve))
  })

  test('a connection that does not end holds a drain for 10 s and no longer', async () => {
    const upstream = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const { port } = upstream.address() as AddressInfo
    const stage = setStage({ wanted: [{ ...web, upstream: { host: '127.0.0.1', port } }] })
    await online(stage)
    const onOpen = stage.sessions[0]?.events.onOpen
    // The path has a clock of its own: ten silent seconds would be its loss.
    const pair = muxPair({ clock: new FakeClock(), agent: onOpen ? { onOpen } : {} })
    const visitor = new Recorder()
    visitor.stream = pair.relay.open(anyVisitor, visitor)
    while (stage.supervisor.snapshot().tunnels[0]?.active !== 1) await settle()
    stage.supervisor.drain()
    stage.clock.advance(9_999)
    expect(stage.supervisor.snapshot().state).toBe('draining')
    stage.clock.advance(1)
    expect(await stage.supervisor.ended).toBe(0)
    await visitor.until(() => visitor.resetCode !== undefined)
    await new Promise((resolve) => upstream.close(resolve))
  })
})

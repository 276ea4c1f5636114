/**
 * The agent: owns the tunnels, asks the control plane for their leases, keeps a session to every relay of the
 * directory, and joins visitors to upstreams. It binds saved tickets before it calls home, so a restart is quick and
 * needs no control plane. Nothing ends it but its user, a final answer for every tunnel, or a version nobody speaks.
 */
import type { ClaimResult, Lease, RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail, keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Turn } from '@porttunneler/shared/mux/turn'
import { type AgentSnapshot, type ConfigStatus, type Emit, problemOf } from './events.ts'
import { giveBack } from './give-back.ts'
import { HealthChecks } from './health.ts'
import { Home, type LeaseApi } from './home.ts'
import { NetworkWatch } from './network-watch.ts'
import type { DialRelay, RelayLoss } from './relay-runner.ts'
import { Relays } from './relays.ts'
import { needsClaim, planReload } from './reload.ts'
import { labelOf, newTunnel, type SavedLease, statusOf, type Tunnel, type WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'
import { VisitorDesk } from './visitors.ts'

export type SupervisorOptions = {
  readonly agent: string
  readonly server: string
  readonly pid: number
  readonly wanted: readonly WantedTunnel[]
  readonly takeover: boolean
  readonly api: LeaseApi
  readonly dial: DialRelay
  readonly turn: Turn
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
  /** The proxy on the way to relays, for people; undefined: none. */
  readonly proxy?: () => string | undefined
  /** Leases of the last run, by position in `wanted`. */
  readonly saved: readonly (SavedLease | undefined)[]
  /** Keeps a lease for the next run; `index` counts on for tunnels that a reload added. */
  save(index: number, saved: SavedLease, wanted: WantedTunnel): void
  /** A lease that was given back: not to be bound again, but to be asked for. */
  retire(lease: Lease): void
  /** A lease that must not be bound again. */
  forget(lease: Lease): void
}

/** How long connections may finish after the first Ctrl-C. */
const drainMs = 10_000

export class Supervisor {
  readonly #options: SupervisorOptions
  /** In the order of ptun.yaml at the start; Home and the health checks look at the same list. */
  readonly #tunnels: Tunnel[]
  readonly #byBind: Map<number, Tunnel>
  #lastBind: number
  /** Gone from ptun.yaml, with visitors who may finish. */
  readonly #departing = new Map<Tunnel, Timer>()
  #config: ConfigStatus | undefined
  readonly #relays: Relays
  readonly #home: Home
  readonly #visitors: VisitorDesk
  readonly #network: NetworkWatch
  readonly #health: HealthChecks
  readonly #calling = new AbortController()
  readonly #startedAt: number
  readonly #ended = Promise.withResolvers<number>()
  #state: AgentSnapshot['state'] = 'running'
  #drainTimer: Timer | undefined
  readonly #leaving = new AbortController()
  #serverFailure: PortTunnelerError | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.#tunnels = options.wanted.map((wanted, index) => newTunnel(index + 1, wanted))
    this.#byBind = new Map(this.#tunnels.map((tunnel) => [tunnel.bind, tunnel]))
    this.#lastBind = this.#tunnels.length
    this.#visitors = new VisitorDesk({ ...options, onIdle: () => this.#endIfDrained() })
    this.#health = new HealthChecks({ ...options, tunnels: this.#tunnels })
    this.#network = new NetworkWatch({
      clock: options.clock,
      onChange: (gone) => this.#relays.probe(gone),
      onJump: () => this.#home.recheck(),
    })
    this.#home = new Home({
      ...options,
      tunnels: this.#tunnels,
      onResult: (result, asked, call) => this.#onResult(result, asked, call),
      onFailure: (error, retryInMs) => this.#onServerFailure(error, retryInMs),
    })
    this.#relays = this.#makeRelays(options)
  }

  /** Resolves with the exit code when the agent is over: after a drain, or when nothing is left to serve. */
  get ended(): Promise<number> {
    return this.#ended.promise
  }

  start(): void {
    const { agent, server, pid, emit, proxy } = this.#options
    const way = proxy?.()
    emit({ event: 'agent.started', agent, server, pid, ...(way !== undefined && { proxy: way }) })
    this.#network.start()
    this.#health.start()
    this.#bindSaved()
    void this.#home.run(this.#calling.signal)
  }

  snapshot(): AgentSnapshot {
    const { agent, server, pid, proxy } = this.#options
    const way = proxy?.()
    return {
      pid,
      agent,
      server,
      startedAt: this.#startedAt,
      state: this.#state,
      ...(way !== undefined && { proxy: way }),
      ...(this.#config && { config: this.#config }),
      ...(this.#serverFailure && { serverProblem: problemOf(this.#serverFailure) }),
      tunnels: this.#tunnels.map(statusOf),
      relays: this.#relays.status(),
    }
  }

  /**
   * Makes the tunnels those that are wanted now. What has not changed is not touched; what has another upstream keeps
   * its address and gives new visitors to it; what is gone takes no new visitors and lets the present ones finish.
   */
  reload(wanted: readonly WantedTunnel[], path: string): void {
    if (this.#state !== 'running') return
    const { added, removed, changed } = planReload(this.#tunnels, wanted)
    for (const tunnel of removed) this.#remove(tunnel)
    for (const { tunnel, wanted: next } of changed) this.#change(tunnel, next)
    for (const one of added) this.#add(one)
    this.#config = { path, since: this.#options.clock.now() }
    const names = { added: added.map(({ name = '' }) => name), removed: removed.map(labelOf) }
    const event = 'config.reloaded' as const
    this.#options.emit({ event, path, ...names, changed: changed.map(({ tunnel }) => labelOf(tunnel)) })
    this.#home.hurry()
  }

  /** What stands in ptun.yaml now cannot be done: everything stays as it is. */
  refuseReload(failure: PortTunnelerError, path: string): void {
    if (this.#state !== 'running') return
    const { since = this.#startedAt } = this.#config ?? {}
    const problem = problemOf(failure)
    this.#config = { path, since, problem }
    this.#options.emit({ event: 'config.refused', path, problem })
  }

  #add(wanted: WantedTunnel): void {
    this.#lastBind += 1
    const tunnel = newTunnel(this.#lastBind, wanted)
    this.#tunnels.push(tunnel)
    this.#byBind.set(tunnel.bind, tunnel)
    this.#health.follow(tunnel)
  }

  #change(tunnel: Tunnel, wanted: WantedTunnel): void {
    const before = tunnel.wanted
    tunnel.wanted = wanted
    tunnel.upstreamFailure = undefined
    if (tunnel.stopped) return
    this.#health.follow(tunnel)
    if (needsClaim(tunnel, before)) tunnel.claimAt = 0
  }

  #remove(tunnel: Tunnel): void {
    this.#tunnels.splice(this.#tunnels.indexOf(tunnel), 1)
    this.#byBind.delete(tunnel.bind)
    this.#health.drop(tunnel)
    this.#relays.unbind(tunnel.bind)
    tunnel.bound.clear()
    const waitMs = tunnel.streams.size > 0 ? drainMs : 0
    this.#departing.set(
      tunnel,
      this.#options.clock.after(waitMs, () => this.#letGo(tunnel)),
    )
  }

  /** Its visitors had their time. */
  #letGo(tunnel: Tunnel): void {
    this.#departing.delete(tunnel)
    this.#visitors.close(tunnel)
    const { lease } = tunnel
    // A tunnel of that name that came back meanwhile has the address again.
    if (!lease || tunnel.stopped || this.#tunnels.some(({ name }) => name === lease.name)) return
    this.#options.forget(lease)
    // Another agent may have its name and its port at once.
    void giveBack([lease], { ...this.#options, leaving: new AbortController() })
  }

  /** Takes no new visitors, lets the present ones finish for 10 s, then ends. */
  drain(): void {
    if (this.#state !== 'running') return
    this.#state = 'draining'
    this.#calling.abort()
    const connections = this.#visitors.active
    this.#options.emit({ event: 'agent.draining', connections, graceMs: drainMs })
    for (const tunnel of this.#tunnels) if (tunnel.lease) this.#relays.unbind(tunnel.bind)
    this.#drainTimer = this.#options.clock.after(drainMs, () => this.end(0))
    this.#endIfDrained()
  }

  /**
   * Ends; open connections are reset, and leases given back, so that another machine need not wait. Said again, it does
   * not wait for the server any more.
   */
  end(exit: number): void {
    if (this.#state === 'stopped') {
      this.#leaving.abort()
      return
    }
    this.#state = 'stopped'
    this.#calling.abort()
    this.#drainTimer?.clear()
    for (const timer of this.#departing.values()) timer.clear()
    this.#network.close()
    this.#health.close()
    this.#visitors.close()
    this.#relays.close('session.closed')
    const held = [...this.#tunnels, ...this.#departing.keys()].flatMap(({ lease, stopped }) =>
      lease && !stopped ? [lease] : [],
    )
    void giveBack(held, { ...this.#options, leaving: this.#leaving }).then(() => {
      this.#options.emit({ event: 'agent.stopped', exit })
      this.#ended.resolve(exit)
    })
  }

  #endIfDrained(): void {
    if (this.#state === 'draining' && this.#visitors.active === 0) this.end(0)
  }

  #bindSaved(): void {
    const relays: RelayAddress[] = []
    this.#tunnels.forEach((tunnel, index) => {
      const saved = this.#options.saved[index]
      if (!saved || saved.lease.ticketExpiresAt <= this.#options.clock.now()) return
      tunnel.lease = saved.lease
      tunnel.name = saved.lease.name
      relays.push(...saved.relays)
    })
    this.#relays.follow(relays)
  }

  #makeRelays({ dial, clock, random, emit }: SupervisorOptions): Relays {
    return new Relays({
      dial,
      clock,
      random,
      tickets: () => this.#tickets(),
      onOpen: (stream, info) => this.#visitors.accept(stream, info, this.#tunnel(info.bind)),
      onConnected: (instance) => emit({ event: 'relay.connected', relay: instance }),
      onBound: (relay, bind) => this.#onBound(this.#tunnel(bind), relay),
      onUnbound: (relay, bind, failure) => this.#onUnbound(this.#tunnel(bind), relay, failure),
      onLost: (instance, loss) => this.#onRelayLost(instance, loss),
      onNotice: (instance, code, text) => {
        if (keyOfCode(code) === 'relay.directory') this.#relays.lookSoon()
        else emit({ event: 'relay.notice', relay: instance, code, text })
      },
      lookUp: () => this.#home.renewNow(),
    })
  }

  #tunnel(bind: number): Tunnel | undefined {
    return this.#byBind.get(bind)
  }

  #tickets(): ReadonlyMap<number, string> {
    if (this.#state !== 'running') return new Map()
    const leased = this.#tunnels.filter((tunnel) => tunnel.lease && !tunnel.stopped)
    return new Map(leased.map((tunnel) => [tunnel.bind, tunnel.lease?.ticket ?? '']))
  }

  // --- what the control plane says ---

  #onResult(result: ClaimResult, asked: readonly Tunnel[], call: 'claim' | 'renew'): void {
    if (this.#state !== 'running') return
    if (this.#serverFailure) this.#options.emit({ event: 'server.found' })
    this.#serverFailure = undefined
    const isDirectoryGiven = result.relays.length > 0
    asked.forEach((tunnel, index) => {
      const answer = result.results[index]
      if (!answer || tunnel.stopped) return
      if (!this.#byBind.has(tunnel.bind)) {
        // It went from ptun.yaml while the server was asked for it.
        if ('lease' in answer) this.#onLateLease(tunnel, answer.lease)
        return
      }
      if ('lease' in answer) this.#onLease(tunnel, answer.lease, result.relays)
      else this.#onRefused(tunnel, answer.problem, call)
    })
    if (isDirectoryGiven) this.#relays.follow(result.relays)
    this.#endIfAllStopped()
  }

  #onLateLease(tunnel: Tunnel, lease: Lease): void {
    tunnel.lease = lease
    if (!this.#departing.has(tunnel)) this.#letGo(tunnel)
  }

  #onLease(tunnel: Tunnel, lease: Lease, relays: readonly RelayAddress[]): void {
    const before = tunnel.lease
    tunnel.lease = lease
    tunnel.name = lease.name
    tunnel.claimAt = Number.POSITIVE_INFINITY
    tunnel.wasGranted = true
    tunnel.askedAtMs = undefined
    tunnel.refused = undefined
    this.#options.save(tunnel.bind - 1, { lease, relays }, tunnel.wanted)
    if (before && before.endpoint.id !== lease.endpoint.id) tunnel.bound.clear()
    const isNews = before?.ticket !== lease.ticket
    this.#relays.bind(tunnel.bind, lease.ticket, isNews ? {} : { but: tunnel.bound })
  }

  #onRefused(
    tunnel: Tunnel,
    problem: { code: string; detail?: string | undefined; title: string; retryAfter?: number | undefined },
    call: 'claim' | 'renew',
  ): void {
    const key = keyOfCode(problem.code)
    const failure = key
      ? fail(key, problem.detail)
      : fail('server.unexpected', `${problem.code} ${problem.detail ?? problem.title}`)
    if (key && failure.entry.retry === 'never') {
      this.#stop(tunnel, failure)
      return
    }
    // A lease that lapsed (a laptop that slept) is claimed anew at once; a refused claim waits.
    const retryInMs = call === 'renew' ? 0 : claimDelay(tunnel.claimAttempt++, problem.retryAfter)
    tunnel.claimAt = this.#options.clock.monotonic() + retryInMs
    tunnel.refused = failure
    if (call === 'claim') {
      const event = 'tunnel.refused' as const
      this.#options.emit({ event, tunnel: labelOf(tunnel), problem: problemOf(failure), retryInMs })
    }
  }

  #onServerFailure(error: PortTunnelerError, retryInMs: number): void {
    const isNew = this.#serverFailure?.key !== error.key
    this.#serverFailure = error
    const isServing = this.#tunnels.some((tunnel) => tunnel.bound.size > 0)
    // Who serves goes on serving: only relays may end what they were once told to allow.
    if (error.entry.retry === 'never' && !isServing) {
      for (const tunnel of this.#tunnels) if (!tunnel.stopped) this.#stop(tunnel, error)
      this.#endIfAllStopped()
    } else if (isNew) this.#options.emit({ event: 'server.lost', problem: problemOf(error), retryInMs })
  }

  // --- what the relays say ---

  #onBound(tunnel: Tunnel | undefined, relay: string): void {
    if (!tunnel?.lease || tunnel.stopped) return
    const wasOnline = tunnel.bound.size > 0
    tunnel.bound.add(relay)
    tunnel.claimAttempt = 0
    if (wasOnline) return
    const { kind, upstream } = tunnel.wanted
    this.#options.emit({
      event: 'tunnel.online',
      tunnel: labelOf(tunnel),
      kind,
      url: tunnel.lease.endpoint.url,
      upstream: formatUpstream(upstream),
    })
  }

  #onUnbound(tunnel: Tunnel | undefined, relay: string, failure?: PortTunnelerError): void {
    if (!tunnel || this.#state === 'stopped') return
    const wasOnline = tunnel.bound.delete(relay) && tunnel.bound.size === 0
    if (failure?.entry.retry === 'never') {
      this.#stop(tunnel, failure)
      this.#endIfAllStopped()
      return
    }
    if (wasOnline && this.#state === 'running')
      this.#options.emit({ event: 'tunnel.offline', tunnel: labelOf(tunnel) })
    if (failure) this.#askAgain(tunnel)
  }

  #onRelayLost(instance: string, { failure, retryInMs, isNew }: RelayLoss): void {
    if (this.#state !== 'running') return
    if (isNew)
      this.#options.emit({ event: 'relay.lost', relay: instance, problem: problemOf(failure), retryInMs })
    if (failure.key === 'hello.version') {
      this.end(failure.entry.exit)
      return
    }
    // The ticket shown in HELLO was not good enough: the control plane knows why, or has a better one.
    if (failure.key === 'ticket.invalid' || failure.entry.retry === 'never')
      for (const tunnel of this.#tunnels) this.#askAgain(tunnel)
  }

  /** Claims again, which gives the same endpoint and a fresh ticket, or says why not. */
  #askAgain(tunnel: Tunnel): void {
    if (tunnel.stopped || this.#state !== 'running') return
    const claimAt = this.#options.clock.monotonic() + claimDelay(tunnel.claimAttempt++)
    tunnel.claimAt = Math.min(tunnel.claimAt, claimAt)
    this.#home.hurry()
  }

  #stop(tunnel: Tunnel, failure: PortTunnelerError): void {
    tunnel.stopped = failure
    tunnel.bound.clear()
    this.#relays.unbind(tunnel.bind)
    // A superseded agent must not bind the old ticket at its next start either.
    if (tunnel.lease) this.#options.forget(tunnel.lease)
    this.#options.emit({ event: 'tunnel.stopped', tunnel: labelOf(tunnel), problem: problemOf(failure) })
  }

  #endIfAllStopped(): void {
    const failures = this.#tunnels.flatMap(({ stopped }) => (stopped ? [stopped] : []))
    if (failures.length < this.#tunnels.length || this.#state !== 'running') return
    this.end(Math.max(...failures.map(({ entry }) => entry.exit)))
  }
}

/** Claims of a refused tunnel: 1 s, then doubling to 30 s, or what the server asks for. */
function claimDelay(attempt: number, retryAfterSeconds = 0): number {
  if (retryAfterSeconds > 0) return retryAfterSeconds * 1_000
  return Math.min(30_000, 1_000 * 2 ** Math.min(attempt, 5))
}

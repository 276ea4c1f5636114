/**
 * The agent: owns the tunnels, asks the control plane for their leases, keeps a session to every relay of the
 * directory, and joins visitors to upstreams. It binds saved tickets before it calls home, so a restart is quick and
 * needs no control plane. Only its user, a final answer for every tunnel, or a version that no relay speaks ends it.
 */
import type { ClaimResult, Lease } from '@porttunneler/shared/api/schemas/tunnels'
import type { Timer } from '@porttunneler/shared/base/clock'
import { keyOfCode, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { Directory, isSameCell } from './directory.ts'
import { type AgentSnapshot, problemOf } from './events.ts'
import { giveBack } from './give-back.ts'
import { HealthChecks } from './health.ts'
import { claimDelay, Home, type Refusal, refusalOf } from './home.ts'
import { holdLease, isBindable, takeLease, toSave } from './leases.ts'
import { NetworkWatch } from './network-watch.ts'
import { isFinal } from './relay-failures.ts'
import type { RelayLoss } from './relay-runner-options.ts'
import { Relays } from './relays.ts'
import { Roster } from './roster.ts'
import type { SupervisorOptions } from './supervisor-options.ts'
import { labelOf, statusOf, type Tunnel, urlOf, type WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'
import { UpstreamReports } from './upstream-reports.ts'
import { VisitorDesk } from './visitor-desk.ts'

/** How long connections may finish after the first Ctrl-C. */
const drainMs = 10_000

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #roster: Roster
  readonly #relays: Relays
  readonly #directory = new Directory()
  readonly #home: Home
  readonly #visitors: VisitorDesk
  readonly #network: NetworkWatch
  readonly #health: HealthChecks
  readonly #reports: UpstreamReports
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
    this.#roster = this.#makeRoster(options)
    this.#visitors = new VisitorDesk({ ...options, onIdle: () => this.#endIfDrained() })
    this.#health = new HealthChecks({ ...options, tunnels: this.#roster.list })
    this.#reports = new UpstreamReports({ ...options, tunnels: this.#roster.list })
    this.#network = new NetworkWatch({
      clock: options.clock,
      onChange: (gone) => this.#relays.probe(gone),
      onJump: () => this.#home.recheck(),
    })
    this.#home = new Home({
      ...options,
      tunnels: this.#roster.list,
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
    const { agent, server, pid, emit } = this.#options
    emit({ event: 'agent.started', agent, server, pid, ...this.#way() })
    this.#network.start()
    this.#health.start()
    this.#reports.start()
    this.#bindSaved()
    void this.#home.run(this.#calling.signal)
  }

  snapshot(): AgentSnapshot {
    const { agent, server, pid } = this.#options
    return {
      pid,
      agent,
      server,
      startedAt: this.#startedAt,
      state: this.#state,
      ...this.#way(),
      ...(this.#roster.config && { config: this.#roster.config }),
      ...(this.#serverFailure && { serverProblem: problemOf(this.#serverFailure) }),
      tunnels: this.#roster.list.map(statusOf),
      relays: this.#relays.status(),
    }
  }

  #way(): { readonly proxy?: string } {
    const proxy = this.#options.proxy?.()
    return proxy === undefined ? {} : { proxy }
  }

  /**
   * Changes to the tunnels that are wanted now. Unchanged ones are not touched; one with another upstream keeps its
   * address and gives new visitors to it; a removed one takes no new visitors and lets the present ones finish.
   */
  reload(wanted: readonly WantedTunnel[], path: string): void {
    if (this.#state !== 'running') return
    this.#roster.reload(wanted, path)
    this.#home.hurry()
  }

  /** The present content of ptun.yaml cannot be followed: everything stays as it is. */
  refuseReload(failure: PortTunnelerError, path: string): void {
    if (this.#state === 'running') this.#roster.refuse(failure, path, this.#startedAt)
  }

  /** Takes no new visitors, lets the present ones finish for 10 s, then ends. */
  drain(): void {
    if (this.#state !== 'running') return
    this.#state = 'draining'
    this.#calling.abort()
    const connections = this.#visitors.active
    this.#options.emit({ event: 'agent.draining', connections, graceMs: drainMs })
    for (const tunnel of this.#roster.list) if (tunnel.lease) this.#relays.unbind(tunnel.bind)
    this.#drainTimer = this.#options.clock.after(drainMs, () => this.end(0))
    this.#endIfDrained()
  }

  /**
   * Ends: resets open connections and gives leases back, so that another machine need not wait. Called again, it no
   * longer waits for the server.
   */
  end(exit: number): void {
    if (this.#state === 'stopped') {
      this.#leaving.abort()
      return
    }
    this.#state = 'stopped'
    this.#calling.abort()
    this.#drainTimer?.clear()
    const parts = [this.#roster, this.#network, this.#health, this.#reports, this.#visitors]
    for (const part of parts) part.close()
    this.#relays.close('session.closed')
    void giveBack(this.#roster.held(), { ...this.#options, leaving: this.#leaving }).then(() => {
      this.#options.emit({ event: 'agent.stopped', exit })
      this.#ended.resolve(exit)
    })
  }

  #endIfDrained(): void {
    if (this.#state === 'draining' && this.#visitors.active === 0) this.end(0)
  }

  #bindSaved(): void {
    this.#roster.list.forEach((tunnel, index) => {
      const saved = this.#options.saved[index]
      if (!saved || !isBindable(saved, tunnel, this.#options.clock.now())) return
      holdLease(tunnel, saved.lease)
      this.#directory.set(saved.lease.cell, saved.relays)
    })
    this.#relays.follow(this.#directory.all())
  }

  #makeRoster(options: SupervisorOptions): Roster {
    return new Roster(options.wanted, {
      clock: options.clock,
      emit: options.emit,
      drainMs,
      health: () => this.#health,
      relays: () => this.#relays,
      visitors: () => this.#visitors,
      onGone: (lease) => {
        options.forget(lease)
        void giveBack([lease], { ...options, leaving: new AbortController() })
      },
    })
  }

  #makeRelays({ dial, clock, random, emit, proxy }: SupervisorOptions): Relays {
    return new Relays({
      dial,
      clock,
      random,
      isProxied: () => proxy?.() !== undefined,
      tickets: (cell) => this.#tickets(cell),
      onOpen: (stream, info) => this.#visitors.accept(stream, info, this.#roster.find(info.bind)),
      onConnected: (instance) => emit({ event: 'relay.connected', relay: instance }),
      onBound: (relay, bind) => this.#onBound(this.#roster.find(bind), relay),
      onUnbound: (relay, bind, failure) => this.#onUnbound(this.#roster.find(bind), relay, failure),
      onLost: (instance, loss) => this.#onRelayLost(instance, loss),
      onNotice: (instance, code, text) => {
        if (keyOfCode(code) === 'relay.directory') this.#relays.lookSoon()
        else emit({ event: 'relay.notice', relay: instance, code, text })
      },
      lookUp: () => this.#home.renewNow(),
    })
  }

  #tickets(cell: string | undefined): ReadonlyMap<number, string> {
    if (this.#state !== 'running') return new Map()
    const leased = this.#roster.list.flatMap(({ bind, lease, stopped }) =>
      lease && !stopped && isSameCell(lease.cell, cell) ? [[bind, lease.ticket] as const] : [],
    )
    return new Map(leased)
  }

  // --- what the control plane says ---

  #onResult(result: ClaimResult, asked: readonly Tunnel[], call: 'claim' | 'renew'): void {
    if (this.#state !== 'running') return
    if (this.#serverFailure) this.#options.emit({ event: 'server.found' })
    this.#serverFailure = undefined
    const granted: { tunnel: Tunnel; lease: Lease; before: Lease | undefined }[] = []
    asked.forEach((tunnel, index) => {
      const answer = result.results[index]
      if (!answer || tunnel.stopped) return
      const isHere = this.#roster.find(tunnel.bind) === tunnel
      if (!isHere && 'lease' in answer) this.#roster.refuseLease(tunnel, answer.lease)
      if (!isHere) return
      if ('lease' in answer) {
        granted.push({ tunnel, lease: answer.lease, before: tunnel.lease })
        if (call === 'claim') this.#reports.forget(tunnel)
        this.#onLease(tunnel, answer.lease, result)
      } else this.#onRefused(tunnel, answer.problem, call)
    })
    const leased = new Set(this.#roster.list.flatMap(({ lease }) => (lease ? [lease.cell] : [])))
    if (this.#directory.take(result, leased)) this.#relays.follow(this.#directory.all())
    // Only now is it known whose relays they are; they may differ from the last answer.
    for (const { tunnel, lease, before } of granted) {
      const but = before?.ticket === lease.ticket ? tunnel.bound : undefined
      this.#relays.bind(tunnel.bind, lease.ticket, { cell: lease.cell, ...(but && { but }) })
    }
    this.#endIfAllStopped()
  }

  #onLease(tunnel: Tunnel, lease: Lease, { relays, otherCells }: ClaimResult): void {
    const before = tunnel.lease
    takeLease(tunnel, lease)
    const own = otherCells?.find(({ cell }) => cell === lease.cell)?.relays ?? relays
    this.#options.save(tunnel.bind - 1, toSave(tunnel, lease, own), tunnel.wanted)
    const { policySet: changed } = lease
    if (changed) this.#options.emit({ event: 'tunnel.policy', tunnel: labelOf(tunnel), changed })
    if (before && before.endpoint.id !== lease.endpoint.id) tunnel.bound.clear()
  }

  #onRefused(tunnel: Tunnel, problem: Refusal, call: 'claim' | 'renew'): void {
    const failure = refusalOf(problem)
    if (failure.entry.retry === 'never') {
      this.#stop(tunnel, failure)
      return
    }
    // A lapsed lease (of a laptop that slept) is claimed again at once; a refused claim waits.
    const retryInMs = call === 'renew' ? 0 : claimDelay(tunnel.claimAttempt++, problem.retryAfter)
    tunnel.claimAt = this.#options.clock.monotonic() + retryInMs
    tunnel.refused = failure
    if (call === 'claim') this.#tellRefused(tunnel, failure, retryInMs)
  }

  #tellRefused(tunnel: Tunnel, failure: PortTunnelerError, retryInMs: number): void {
    const event = 'tunnel.refused' as const
    this.#options.emit({ event, tunnel: labelOf(tunnel), problem: problemOf(failure), retryInMs })
  }

  #onServerFailure(error: PortTunnelerError, retryInMs: number): void {
    const isNew = this.#serverFailure?.key !== error.key
    this.#serverFailure = error
    const isServing = this.#roster.list.some((tunnel) => tunnel.bound.size > 0)
    // A serving tunnel goes on: only relays may end what they were told to allow.
    if (error.entry.retry === 'never' && !isServing) {
      for (const tunnel of this.#roster.list) if (!tunnel.stopped) this.#stop(tunnel, error)
      this.#endIfAllStopped()
    } else if (isNew) this.#options.emit({ event: 'server.lost', problem: problemOf(error), retryInMs })
  }

  // --- what the relays say ---

  #onBound(tunnel: Tunnel | undefined, relay: string): void {
    if (!tunnel?.lease || tunnel.stopped) return
    const wasOnline = tunnel.bound.size > 0
    tunnel.bound.add(relay)
    tunnel.claimAttempt = 0
    tunnel.refused = undefined
    if (wasOnline) return
    const [{ kind, upstream }, { request }] = [tunnel.wanted, tunnel.lease]
    this.#options.emit({
      event: 'tunnel.online',
      tunnel: labelOf(tunnel),
      kind,
      url: urlOf(tunnel) ?? '',
      upstream: formatUpstream(upstream),
      ...(request !== undefined && { request }),
    })
  }

  #onUnbound(tunnel: Tunnel | undefined, relay: string, failure?: PortTunnelerError): void {
    if (!tunnel || this.#state === 'stopped') return
    const wasOnline = tunnel.bound.delete(relay) && tunnel.bound.size === 0
    if (failure && isFinal(failure, tunnel)) {
      this.#stop(tunnel, failure)
      this.#endIfAllStopped()
      return
    }
    if (wasOnline && this.#state === 'running')
      this.#options.emit({ event: 'tunnel.offline', tunnel: labelOf(tunnel) })
    if (!failure) return
    const retryInMs = this.#askAgain(tunnel)
    // If another relay serves it, or asking again corrects it at once, nobody has to know.
    if (tunnel.bound.size > 0 || failure.entry.retry === 'now' || this.#state !== 'running') return
    tunnel.refused = failure
    this.#tellRefused(tunnel, failure, retryInMs)
  }

  #onRelayLost(instance: string, { failure, retryInMs, isNew }: RelayLoss): void {
    if (this.#state !== 'running') return
    if (isNew)
      this.#options.emit({ event: 'relay.lost', relay: instance, problem: problemOf(failure), retryInMs })
    if (failure.key === 'hello.version') {
      this.end(failure.entry.exit)
      return
    }
    // The ticket in HELLO was not accepted: the control plane knows why, or has a better one.
    if (failure.key === 'ticket.invalid' || failure.entry.retry === 'never')
      for (const tunnel of this.#roster.list) this.#askAgain(tunnel)
  }

  /** Claims again, which gives the same endpoint and a fresh ticket, or says why not. @returns after how many ms */
  #askAgain(tunnel: Tunnel): number {
    if (tunnel.stopped || this.#state !== 'running') return 0
    const delayMs = claimDelay(tunnel.claimAttempt++)
    tunnel.claimAt = Math.min(tunnel.claimAt, this.#options.clock.monotonic() + delayMs)
    this.#home.hurry()
    return delayMs
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
    const failures = this.#roster.ending()
    if (failures && this.#state === 'running') this.end(Math.max(...failures.map(({ entry }) => entry.exit)))
  }
}

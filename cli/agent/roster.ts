/**
 * The tunnels of an agent, which change with ptun.yaml. The supervisor owns it; Home and the health checks use the same
 * list. A bind number is used only once, so a late message of a relay is never about another tunnel.
 */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import type { PortTunnelerError } from '@porttunneler/shared/base/errors'
import { type ConfigStatus, type Emit, problemOf } from './events.ts'
import type { HealthChecks } from './health.ts'
import { isOfAgent } from './relay-failures.ts'
import type { Relays } from './relays.ts'
import { needsClaim, planReload } from './reload.ts'
import { labelOf, newTunnel, type Tunnel, type WantedTunnel } from './tunnels.ts'
import type { VisitorDesk } from './visitor-desk.ts'

export type RosterOptions = {
  readonly clock: Clock
  readonly emit: Emit
  readonly health: () => HealthChecks
  readonly relays: () => Relays
  readonly visitors: () => VisitorDesk
  /** How long visitors of a removed tunnel may take to finish. */
  readonly drainMs: number
  /** Gives the lease back: another agent may have its name and port at once. */
  onGone(lease: Lease): void
}

export class Roster {
  /** In the order of ptun.yaml at the start. */
  readonly list: Tunnel[]
  readonly #byBind: Map<number, Tunnel>
  readonly #options: RosterOptions
  /** Removed from ptun.yaml, with visitors who may finish. */
  readonly #departing = new Map<Tunnel, Timer>()
  #lastBind: number
  #config: ConfigStatus | undefined

  constructor(wanted: readonly WantedTunnel[], options: RosterOptions) {
    this.#options = options
    this.list = wanted.map((one, index) => newTunnel(index + 1, one))
    this.#byBind = new Map(this.list.map((tunnel) => [tunnel.bind, tunnel]))
    this.#lastBind = this.list.length
  }

  /** Set once the file was read again. */
  get config(): ConfigStatus | undefined {
    return this.#config
  }

  find(bind: number): Tunnel | undefined {
    return this.#byBind.get(bind)
  }

  /** Leases to give back when the agent ends. */
  held(): readonly Lease[] {
    return [...this.list, ...this.#departing.keys()].flatMap(({ lease, stopped }) =>
      lease && !stopped ? [lease] : [],
    )
  }

  /** Why nothing is left to serve; undefined while something is. A stop from afar is about the whole agent. */
  ending(): readonly PortTunnelerError[] | undefined {
    const failures = this.list.flatMap(({ stopped }) => (stopped ? [stopped] : []))
    return failures.length === this.list.length || failures.some(isOfAgent) ? failures : undefined
  }

  /** See Supervisor.reload. */
  reload(wanted: readonly WantedTunnel[], path: string): void {
    const { clock, emit } = this.#options
    const { added, removed, changed } = planReload(this.list, wanted)
    for (const tunnel of removed) this.#remove(tunnel)
    for (const { tunnel, wanted: next } of changed) this.#change(tunnel, next)
    for (const one of added) this.#add(one)
    this.#config = { path, since: clock.now() }
    emit({
      event: 'config.reloaded',
      path,
      added: added.map(({ name = '' }) => name),
      removed: removed.map(labelOf),
      changed: changed.map(({ tunnel }) => labelOf(tunnel)),
    })
  }

  /** @param since when the content in use was read */
  refuse(failure: PortTunnelerError, path: string, since: number): void {
    const problem = problemOf(failure)
    this.#config = { path, since: this.#config?.since ?? since, problem }
    this.#options.emit({ event: 'config.refused', path, problem })
  }

  /** The tunnel was removed from ptun.yaml while the server was asked for its lease. */
  refuseLease(tunnel: Tunnel, lease: Lease): void {
    tunnel.lease = lease
    if (!this.#departing.has(tunnel)) this.#letGo(tunnel)
  }

  close(): void {
    for (const timer of this.#departing.values()) timer.clear()
  }

  #add(wanted: WantedTunnel): void {
    this.#lastBind += 1
    const tunnel = newTunnel(this.#lastBind, wanted)
    this.list.push(tunnel)
    this.#byBind.set(tunnel.bind, tunnel)
    this.#options.health().follow(tunnel)
  }

  #change(tunnel: Tunnel, wanted: WantedTunnel): void {
    const before = tunnel.wanted
    tunnel.wanted = wanted
    tunnel.upstreamFailure = undefined
    if (tunnel.stopped) return
    this.#options.health().follow(tunnel)
    if (needsClaim(tunnel, before)) tunnel.claimAt = 0
  }

  #remove(tunnel: Tunnel): void {
    const { clock, drainMs, health, relays } = this.#options
    this.list.splice(this.list.indexOf(tunnel), 1)
    this.#byBind.delete(tunnel.bind)
    health().drop(tunnel)
    relays().unbind(tunnel.bind)
    tunnel.bound.clear()
    const waitMs = tunnel.streams.size > 0 ? drainMs : 0
    this.#departing.set(
      tunnel,
      clock.after(waitMs, () => this.#letGo(tunnel)),
    )
  }

  /** Call it when the time for its visitors is over. */
  #letGo(tunnel: Tunnel): void {
    this.#departing.delete(tunnel)
    this.#options.visitors().close(tunnel)
    const { lease } = tunnel
    // If a tunnel of that name came back meanwhile, it has the address again.
    if (lease && !tunnel.stopped && this.list.every(({ name }) => name !== lease.name))
      this.#options.onGone(lease)
  }
}

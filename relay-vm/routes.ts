/**
 * Which session serves which endpoint. A route begins with the first BIND and lives until its lease is known to have
 * ended (revoked, taken by a higher epoch, ticket run out while nobody served it), so an agent that comes back finds
 * its port still listening and its visitors were told "away" and not "unknown". docs/relay.md
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Policy, TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { Meters } from './meters/meters.ts'
import type { TunnelMeter } from './meters/tunnel-meter.ts'
import { compileIpFilter, type IpFilter } from './policy/ip-filter.ts'
import type { SessionHandle } from './session-handle.ts'

/** Who serves a route now. */
export type Binding = { readonly session: SessionHandle; readonly bind: number }

/** One endpoint at one moment; replaced, never changed. */
export type Route = {
  readonly endpoint: string
  /** Of the ticket that bound it last. */
  readonly claims: TicketClaims
  readonly policy: Policy
  readonly policyVersion: number
  readonly ipFilter: IpFilter
  readonly meter: TunnelMeter
  /** Absent while the agent is away. */
  readonly binding?: Binding
}

export type AwayReport = {
  readonly tunnel: string
  readonly endpoint: string
  readonly epoch: number
  readonly away: boolean
}

/** What commands have said about leases, accounts and policies; newer than any ticket. */
export type Decrees = {
  /** @returns why a ticket with these claims may not bind, though its signature is good */
  refusal(claims: TicketClaims): ErrorKey | undefined
  /** The policy in force when a newer one than the ticket's was commanded. */
  policyOf(tunnel: string): { readonly policy: Policy; readonly policyVersion: number } | undefined
}

type Entry = {
  route: Route
  /** Monotonic; when the last binding ended; `leftOnPurpose` when its agent said so. */
  awaySinceMs: number | undefined
  /** What the control plane was last told. */
  saidAway: boolean
}

/** Nobody waits for an agent that took its leave: it is away from the first moment. */
const leftOnPurpose = Number.NEGATIVE_INFINITY

export type RoutesOptions = {
  readonly clock: Clock
  readonly meters: Meters
  readonly decrees: Decrees
  /** The endpoint is served no more: a leased port closes. */
  onGone(route: Route): void
  /** `awayReports` has something that the control plane should not wait for. */
  onPresence(): void
}

export class Routes {
  readonly #options: RoutesOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: RoutesOptions) {
    this.#options = options
  }

  find(endpoint: string): Route | undefined {
    return this.#entries.get(endpoint)?.route
  }

  /** Whether a visitor of the endpoint would reach its agent now, and not wait for it. */
  serves(endpoint: string): boolean {
    return this.find(endpoint)?.binding?.session.state === 'open'
  }

  /** How many endpoints that holds for. */
  get served(): number {
    return this.all().filter(({ endpoint }) => this.serves(endpoint)).length
  }

  all(): readonly Route[] {
    return [...this.#entries.values()].map((entry) => entry.route)
  }

  /**
   * Whether a checked ticket may bind now.
   * @throws session.revoked, session.superseded
   */
  check(claims: TicketClaims): void {
    const refusal = this.#options.decrees.refusal(claims)
    if (refusal !== undefined) throw fail(refusal)
    const held = this.find(claims.endpoint)?.claims
    if (held === undefined || claims.epoch > held.epoch) return
    if (claims.epoch < held.epoch || claims.agent !== held.agent) throw fail('session.superseded')
  }

  /**
   * Gives the endpoint to `binding`; whoever held it hears that it was taken over.
   * @throws session.revoked, session.superseded
   */
  bind(claims: TicketClaims, binding: Binding): Route {
    this.check(claims)
    const entry = this.#entries.get(claims.endpoint)
    const loser = entry?.route.binding
    if (loser !== undefined && loser.session !== binding.session) {
      loser.session.unbound(loser.bind, 'session.superseded')
      // An agent that is out of reach was most likely restarted: its visitors would wait for nothing.
      if (loser.session.state === 'detached') loser.session.resetBind(loser.bind, 'session.superseded')
    }
    const route = this.#makeRoute(claims, binding)
    const saidAway = entry?.route.claims.sub === claims.sub && entry.saidAway
    this.#entries.set(claims.endpoint, { route, awaySinceMs: undefined, saidAway })
    if (saidAway) this.#options.onPresence()
    return route
  }

  /** The agent serves this one no more (UNBIND). */
  unbind(binding: Binding): void {
    for (const entry of this.#entries.values()) {
      if (entry.route.binding === undefined || !isSame(entry.route.binding, binding)) continue
      this.#detach(entry, leftOnPurpose)
      this.#options.onPresence()
    }
  }

  /** The session is over: all it served is away. */
  lost(session: SessionHandle): void {
    const now = this.#options.clock.monotonic()
    for (const entry of this.#entries.values())
      if (entry.route.binding?.session === session) this.#detach(entry, now)
  }

  /** The session has no connection for now, or has one again: its bindings stay, and count as away meanwhile. */
  setDetached(session: SessionHandle, isDetached: boolean): void {
    const now = this.#options.clock.monotonic()
    for (const entry of this.#entries.values())
      if (entry.route.binding?.session === session) entry.awaySinceMs = isDetached ? now : undefined
  }

  /** Ends every route that `matches`, telling its agent why. */
  revoke(matches: (claims: TicketClaims) => boolean, reason: ErrorKey): void {
    for (const { route } of [...this.#entries.values()]) {
      if (!matches(route.claims)) continue
      route.binding?.session.unbound(route.binding.bind, reason)
      this.#forget(route)
    }
  }

  setPolicy(tunnel: string, { policy, policyVersion }: { policy: Policy; policyVersion: number }): void {
    for (const entry of this.#entries.values()) {
      const { route } = entry
      if (route.claims.sub !== tunnel || route.policyVersion >= policyVersion) continue
      entry.route = { ...route, policy, policyVersion, ipFilter: compileIpFilter(policy) }
    }
  }

  /** Forgets routes that are away and whose ticket has run out. `nowMs` is server-corrected wall time. */
  expire(nowMs: number): void {
    for (const { route } of [...this.#entries.values()])
      if (route.binding === undefined && route.claims.exp * 1000 + limits.skewMs < nowMs) this.#forget(route)
  }

  /** Tunnels that were left, away for a minute, or back, of which the control plane has not heard yet. */
  awayReports(): readonly AwayReport[] {
    const now = this.#options.clock.monotonic()
    const reports: AwayReport[] = []
    for (const { route, awaySinceMs, saidAway } of this.#entries.values()) {
      const away = awaySinceMs !== undefined && now - awaySinceMs >= limits.awayMs
      const { sub: tunnel, epoch } = route.claims
      if (away !== saidAway && (away || awaySinceMs === undefined))
        reports.push({ tunnel, endpoint: route.endpoint, epoch, away })
    }
    return reports
  }

  /** The control plane has heard `reports`. */
  awayReported(reports: readonly AwayReport[]): void {
    for (const { endpoint, tunnel, away } of reports) {
      const entry = this.#entries.get(endpoint)
      if (entry?.route.claims.sub === tunnel) entry.saidAway = away
    }
  }

  #makeRoute(claims: TicketClaims, binding: Binding): Route {
    const { meters, decrees } = this.#options
    const newer = decrees.policyOf(claims.sub)
    const { policy, policyVersion } =
      newer !== undefined && newer.policyVersion > claims.policyVersion ? newer : claims
    return {
      endpoint: claims.endpoint,
      claims,
      policy,
      policyVersion,
      ipFilter: compileIpFilter(policy),
      meter: meters.of(claims.sub, claims.account),
      binding,
    }
  }

  #detach(entry: Entry, awaySinceMs: number): void {
    const { binding: _, ...away } = entry.route
    entry.route = away
    entry.awaySinceMs = awaySinceMs
  }

  #forget(route: Route): void {
    this.#entries.delete(route.endpoint)
    this.#options.onGone(route)
  }
}

function isSame(a: Binding, b: Binding): boolean {
  return a.session === b.session && a.bind === b.bind
}

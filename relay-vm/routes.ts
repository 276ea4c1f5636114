/**
 * Which session serves which endpoint. A route begins with the first BIND and lives until its lease is known to have
 * ended (revoked, taken by a higher epoch, or ticket expired while nobody served it), so an agent that comes back finds
 * its port still listening, and its visitors were told "away" and not "unknown". docs/relay.md
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'
import type { Policy, TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { Meters } from './meters/meters.ts'
import type { TunnelMeter } from './meters/tunnel-meter.ts'
import { compileIpFilter, type IpFilter } from './policy/ip-filter.ts'
import { type Binding, isOpen, isPool, isShared, isWell, type Member, newMember } from './pool.ts'
import type { SessionHandle } from './session-handle.ts'

/** One endpoint at one moment; replaced, never changed. */
export type Route = {
  readonly endpoint: string
  /** The claims of the ticket that bound it last. */
  readonly claims: TicketClaims
  readonly policy: Policy
  readonly policyVersion: number
  readonly ipFilter: IpFilter
  readonly meter: TunnelMeter
  /** The agents that serve it now: one, several if the tunnel is shared, none while all are away. */
  readonly members: readonly Member[]
  /** The name by which a visitor found it, if that is not the endpoint's (names.ts). */
  readonly name?: string
}

export type AwayReport = {
  readonly account: string
  readonly tunnel: string
  readonly endpoint: string
  readonly epoch: number
  readonly agent: string
  readonly away: boolean
}

/** What commands have said about leases, accounts and policies; it is newer than any ticket. */
export type Decrees = {
  /** @returns why a ticket with these claims may not bind, although its signature is valid */
  refusal(claims: TicketClaims): ErrorKey | undefined
  /** The policy in force when a newer one than the ticket's was commanded. */
  policyOf(tunnel: string): { readonly policy: Policy; readonly policyVersion: number } | undefined
}

type Entry = {
  route: Route
  /** By agent. */
  readonly presences: Map<string, Presence>
}

/** Whether an agent is at a route, or was. */
type Presence = {
  /** Monotonic: when its last binding ended. It is `leftOnPurpose` when the agent said so itself. */
  awaySinceMs: number | undefined
  /** The state that the control plane was last told. */
  saidAway: boolean
  /** Expiry of its last ticket, seconds. */
  exp: number
}

/** Nobody waits for an agent that took its leave: it is away from the first moment. */
const leftOnPurpose = Number.NEGATIVE_INFINITY

export type RoutesOptions = {
  readonly clock: Clock
  readonly meters: Meters
  readonly decrees: Decrees
  /** The endpoint is no longer served: a leased port closes. */
  onGone(route: Route): void
  /** The session's connections are gone; a visitor that waits for it may look elsewhere. */
  onDetached?(session: SessionHandle): void
  /** `awayReports` has a report that the control plane should not wait for. */
  onPresence(): void
}

export class Routes {
  readonly #options: RoutesOptions
  readonly #entries = new Map<string, Entry>()
  /** Endpoints of each member session: thousands of sessions may come and go at once. */
  readonly #endpoints = new Map<SessionHandle, Set<string>>()
  /** Tunnel -> its endpoint here. */
  readonly #ofTunnel = new Map<string, string>()

  constructor(options: RoutesOptions) {
    this.#options = options
  }

  find(endpoint: string): Route | undefined {
    return this.#entries.get(endpoint)?.route
  }

  /** The route of a tunnel; if it has several endpoints, the one that was bound last. */
  ofTunnel(tunnel: string): Route | undefined {
    const endpoint = this.#ofTunnel.get(tunnel)
    const route = endpoint === undefined ? undefined : this.find(endpoint)
    return route?.claims.sub === tunnel ? route : undefined
  }

  /** Whether a visitor of the endpoint would reach its agent now, and not wait for it. */
  serves(endpoint: string): boolean {
    return this.find(endpoint)?.members.some(isOpen) === true
  }

  /** Like `serves`, and the upstream of one of its agents is there, as far as is known. */
  servesWell(endpoint: string): boolean {
    const now = this.#options.clock.monotonic()
    return this.find(endpoint)?.members.some((member) => isWell(member, now)) === true
  }

  /** Whether the session serves anything. */
  isBound(session: SessionHandle): boolean {
    return this.#endpoints.has(session)
  }

  /** How many endpoints `serves` is true for. */
  get served(): number {
    return this.all().filter(({ endpoint }) => this.serves(endpoint)).length
  }

  all(): readonly Route[] {
    return [...this.#entries.values()].map((entry) => entry.route)
  }

  /**
   * Checks whether a verified ticket may bind now.
   * @throws session.revoked, session.superseded; lease.gone where the tunnel is shared: a late agent claims again and
   * joins
   */
  check(claims: TicketClaims): void {
    const refusal = this.#options.decrees.refusal(claims)
    if (refusal !== undefined) throw fail(refusal)
    const held = this.find(claims.endpoint)?.claims
    if (held === undefined || claims.epoch > held.epoch) return
    const isJoint = claims.sub === held.sub && (isShared(claims) || isShared(held))
    if (claims.epoch < held.epoch) throw fail(isJoint ? 'lease.gone' : 'session.superseded')
    if (claims.agent !== held.agent && !isJoint) throw fail('session.superseded')
  }

  /**
   * Gives the endpoint to `binding`. The former holder is told that it was taken over, unless the two share it.
   * @throws session.revoked, session.superseded, lease.gone
   */
  bind(claims: TicketClaims, binding: Binding): Route {
    this.check(claims)
    const entry = this.#entries.get(claims.endpoint)
    const before = entry?.route
    const isJoint = before?.claims.epoch === claims.epoch && (isShared(claims) || isPool(before))
    const others: Member[] = []
    let member = newMember(binding, claims.agent)
    for (const held of before?.members ?? []) {
      if (isSame(held, binding)) member = held
      else if (isJoint && held.agent !== claims.agent) others.push(held)
      else if (held.session !== binding.session) dismiss(held, { held: before?.claims, claims })
    }
    const presences = before?.claims.sub === claims.sub ? entry?.presences : undefined
    const route = this.#makeRoute(claims, [...others, member], before)
    this.#enter(presences ?? new Map(), claims, route)
    return route
  }

  /** The agent no longer serves this one (UNBIND). */
  unbind(binding: Binding): void {
    for (const entry of this.#entriesOf(binding.session))
      if (this.#detach(entry, (member) => isSame(member, binding), leftOnPurpose)) this.#options.onPresence()
  }

  /** The session is over: all endpoints that it served are away. */
  lost(session: SessionHandle): void {
    const now = this.#options.clock.monotonic()
    for (const entry of this.#entriesOf(session))
      this.#detach(entry, (member) => member.session === session, now)
  }

  /** The session has no connection for now, or has one again: its bindings stay, and count as away meanwhile. */
  setDetached(session: SessionHandle, isDetached: boolean): void {
    const now = this.#options.clock.monotonic()
    for (const { route, presences } of this.#entriesOf(session))
      for (const member of route.members) {
        const presence = presences.get(member.agent)
        if (member.session === session && presence) presence.awaySinceMs = isDetached ? now : undefined
      }
    if (isDetached) this.#options.onDetached?.(session)
  }

  /** Ends every route that `matches`, and tells its agents why; those `stopped` from afar hear that. */
  revoke(
    matches: (claims: TicketClaims) => boolean,
    reason: ErrorKey,
    stopped: readonly string[] = [],
  ): void {
    for (const { route } of [...this.#entries.values()]) {
      if (!matches(route.claims)) continue
      for (const { session, bind, agent } of route.members)
        session.unbound(bind, stopped.includes(agent) ? 'agent.stopped' : reason)
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

  /**
   * Forgets agents that are away and whose ticket has expired, and routes without any agent left. `nowMs` is
   * server-corrected wall time.
   */
  expire(nowMs: number): void {
    for (const { route, presences } of [...this.#entries.values()]) {
      const present = new Set(route.members.map(({ agent }) => agent))
      for (const [agent, { exp }] of presences)
        if (!present.has(agent) && exp * 1000 + limits.skewMs < nowMs) presences.delete(agent)
      if (presences.size === 0) this.#forget(route)
    }
  }

  /** Agents that left, are away for a minute, or are back, and that the control plane has not been told about yet. */
  awayReports(): readonly AwayReport[] {
    const now = this.#options.clock.monotonic()
    const reports: AwayReport[] = []
    for (const { route, presences } of this.#entries.values()) {
      const { sub: tunnel, epoch, account } = route.claims
      for (const [agent, { awaySinceMs, saidAway }] of presences) {
        const away = awaySinceMs !== undefined && now - awaySinceMs >= limits.awayMs
        if (away !== saidAway && (away || awaySinceMs === undefined))
          reports.push({ account, tunnel, endpoint: route.endpoint, epoch, agent, away })
      }
    }
    return reports
  }

  /** The time until the next agent has been away for a minute; Infinity if none is. */
  get awayDueInMs(): number {
    const now = this.#options.clock.monotonic()
    let due = Number.POSITIVE_INFINITY
    for (const { presences } of this.#entries.values())
      for (const { awaySinceMs, saidAway } of presences.values())
        if (awaySinceMs !== undefined && !saidAway) due = Math.min(due, awaySinceMs + limits.awayMs - now)
    return due
  }

  /** The control plane has received `reports`. */
  awayReported(reports: readonly AwayReport[]): void {
    for (const { endpoint, tunnel, agent, away } of reports) {
      const entry = this.#entries.get(endpoint)
      const presence = entry?.route.claims.sub === tunnel ? entry.presences.get(agent) : undefined
      if (presence) presence.saidAway = away
    }
  }

  #enter(known: ReadonlyMap<string, Presence>, { agent, exp }: TicketClaims, route: Route): void {
    const saidAway = known.get(agent)?.saidAway ?? false
    const kept = [...known].filter(([id]) => id !== agent && isPool(route))
    const presences = new Map([...kept, [agent, { awaySinceMs: undefined, saidAway, exp }]])
    this.#index(route.endpoint, this.#entries.get(route.endpoint)?.route.members ?? [], route.members)
    this.#entries.set(route.endpoint, { route, presences })
    this.#ofTunnel.set(route.claims.sub, route.endpoint)
    if (saidAway) this.#options.onPresence()
  }

  #makeRoute(claims: TicketClaims, members: readonly Member[], before: Route | undefined): Route {
    const { meters, decrees } = this.#options
    // With several agents the ticket that binds last may not be the newest.
    const known = before?.claims.sub === claims.sub ? before : undefined
    const { policy, policyVersion } = [decrees.policyOf(claims.sub), known]
      .filter((one) => one !== undefined)
      .reduce((newest, one) => (one.policyVersion > newest.policyVersion ? one : newest), {
        policy: claims.policy,
        policyVersion: claims.policyVersion,
      })
    return {
      endpoint: claims.endpoint,
      claims,
      policy,
      policyVersion,
      ipFilter: compileIpFilter(policy),
      meter: meters.of(claims.sub, claims.account),
      members,
    }
  }

  /** @returns whether a member was removed */
  #detach(entry: Entry, isMeant: (member: Member) => boolean, awaySinceMs: number): boolean {
    const gone = entry.route.members.filter(isMeant)
    if (gone.length === 0) return false
    const members = entry.route.members.filter((member) => !gone.includes(member))
    this.#index(entry.route.endpoint, gone, members)
    entry.route = { ...entry.route, members }
    for (const { agent } of gone) {
      const presence = entry.presences.get(agent)
      if (presence) presence.awaySinceMs = awaySinceMs
    }
    return true
  }

  #entriesOf(session: SessionHandle): readonly Entry[] {
    return [...(this.#endpoints.get(session) ?? [])].flatMap((endpoint) => this.#entries.get(endpoint) ?? [])
  }

  /** Updates the index when the members of an endpoint change. */
  #index(endpoint: string, before: readonly Member[], after: readonly Member[]): void {
    for (const { session } of before) {
      const endpoints = this.#endpoints.get(session)
      endpoints?.delete(endpoint)
      if (endpoints?.size === 0) this.#endpoints.delete(session)
    }
    for (const { session } of after) {
      const endpoints = this.#endpoints.get(session) ?? new Set()
      this.#endpoints.set(session, endpoints.add(endpoint))
    }
  }

  #forget(route: Route): void {
    this.#index(route.endpoint, route.members, [])
    this.#entries.delete(route.endpoint)
    if (this.#ofTunnel.get(route.claims.sub) === route.endpoint) this.#ofTunnel.delete(route.claims.sub)
    this.#options.onGone(route)
  }
}

function isSame(a: Binding, b: Binding): boolean {
  return a.session === b.session && a.bind === b.bind
}

/**
 * Tells a holder that it is one no more: it was beaten, or, in a pool, its ticket is too old, and it claims and joins
 * again.
 */
function dismiss(
  { session, bind, agent }: Member,
  { held, claims }: { held: TicketClaims | undefined; claims: TicketClaims },
): void {
  // Its agent was told to begin its next session and has done so: the streams of this one go on.
  if (session.isSpent && agent === claims.agent) return
  const isLate = held?.sub === claims.sub && held.epoch < claims.epoch && isShared(claims)
  session.unbound(bind, isLate ? 'lease.gone' : 'session.superseded')
  // An agent that is out of reach was most likely restarted: its visitors would wait in vain.
  if (session.state === 'detached') session.resetBind(bind, 'session.superseded')
}

/**
 * From the host that a visitor names to a route: the endpoint of that name, or the tunnel that has it as a further
 * name. A wildcard leads the names one level below it that have no name of their own. A name leads only to a tunnel
 * that is bound here and belongs to the name's account. Names under the cell's own domain are always endpoints. If the
 * tunnel of a name is not bound, its visitors are told that it is offline.
 */
import { wildcardOver } from '@porttunneler/shared/base/wildcards'
import type { TunnelKind } from '@porttunneler/shared/protocol/endpoint'
import type { TicketClaims } from '@porttunneler/shared/protocol/ticket'
import type { NameKnowledge } from './name-knowledge.ts'
import type { Places } from './places.ts'
import type { Route, Routes } from './routes.ts'
import type { Moment } from './server-time.ts'
import type { TakenDown } from './taken-down.ts'

export type NamesOptions = {
  readonly knowledge: NameKnowledge
  readonly takenDown: Pick<TakenDown, 'has'>
  readonly places: Pick<Places, 'serves' | 'kindOf'>
  readonly routes: Routes
  /** Parent of the cell's endpoints, once known. */
  domain(): string | undefined
  moment(): Moment
  /** Visitors may come by these hosts from now on, and their TLS ends here. */
  onHosts?(hosts: readonly string[]): void
  /** Cuts visitors who came by a name that does not lead to their tunnel any more. */
  cut(matches: (route: Route) => boolean): void
}

export class Names {
  readonly #options: NamesOptions

  constructor(options: NamesOptions) {
    this.#options = options
    options.knowledge.whenMoved((host) => this.#cut((name) => name === host || wildcardOver(name) === host))
  }

  /** Takes the endpoint and the names of a tunnel that was just bound. */
  bound(claims: TicketClaims): void {
    const { knowledge, places, moment, onHosts } = this.#options
    places.serves({ endpoint: claims.endpoint, claims }, moment().serverMs)
    knowledge.takeTicket(claims)
    if (claims.kind !== 'http') return
    const further = claims.names?.map(({ host }) => host) ?? []
    onHosts?.([claims.endpoint.slice('host:'.length), ...further])
  }

  resolve(host: string): Route | undefined {
    const { routes, knowledge } = this.#options
    const own = routes.find(`host:${host}`)
    if (own) return own
    const known = knowledge.lead(host)
    if (!known || !this.#mayBeName(host)) return undefined
    const route = routes.ofTunnel(known.tunnel)
    return route && route.claims.account === known.account ? { ...route, name: host } : undefined
  }

  /** The kind of the tunnel that has this name, if only that is known here: the tunnel is offline. */
  offline(host: string): TunnelKind | undefined {
    const { routes, knowledge, places } = this.#options
    if (routes.find(`host:${host}`)) return undefined
    const place = places.kindOf(host)
    if (place !== undefined) return place
    const kind = knowledge.kindOf(host)
    if (kind === undefined || !this.#mayBeName(host)) return undefined
    const tunnel = knowledge.lead(host)?.tunnel
    return tunnel !== undefined && routes.ofTunnel(tunnel) ? undefined : kind
  }

  /** Whether an operator took down the tunnel that this host leads to. */
  isTakenDown(host: string): boolean {
    const { routes, knowledge, takenDown } = this.#options
    return !routes.find(`host:${host}`) && takenDown.has(host, knowledge.lead(host)?.tunnel)
  }

  /** The host's key in `routes`: names lead to the endpoint of their tunnel. */
  endpointOf(host: string): string {
    return this.resolve(host)?.endpoint ?? `host:${host}`
  }

  /** Call it now and then: after too long a silence it cuts visitors who came by names. */
  check(): void {
    const { knowledge, moment } = this.#options
    if (!knowledge.isTrusted(moment())) this.#cut(() => true)
  }

  #mayBeName(host: string): boolean {
    const { knowledge, domain, moment } = this.#options
    const parent = domain()
    if (parent === undefined || host === parent || host.endsWith(`.${parent}`)) return false
    return knowledge.isTrusted(moment())
  }

  #cut(isMeant: (name: string) => boolean): void {
    const { knowledge, cut } = this.#options
    cut(({ name, claims }) => {
      if (name === undefined || !isMeant(name)) return false
      return knowledge.lead(name)?.tunnel !== claims.sub || !knowledge.isTrusted(this.#options.moment())
    })
  }
}

/**
 * HTTP visitors, plain or under TLS: takes an accepted socket to the HTTP listener, and answers the listener's
 * questions about the relay.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Timer } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { isFlagOn } from '@porttunneler/shared/base/flags'
import type { Log } from '@porttunneler/shared/base/log'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { limits } from '@porttunneler/shared/protocol/limits'
import { asksForChallenge, isUnder } from './challenges.ts'
import type { RelayConfig } from './config.ts'
import type { Hop } from './hop-header.ts'
import type { HttpConnection, HttpVisitorDeps, HttpVisitorOptions } from './listeners/http/deps.ts'
import type { VisitorSource } from './listeners/http/forwarded.ts'
import { serveHttpVisitor } from './listeners/http/visitor.ts'
import { HeldBodies } from './listeners/http2/held-bodies.ts'
import { serveHttp2Visitor } from './listeners/http2/visitor.ts'
import type { Origin } from './listeners/origins.ts'
import type { Meters } from './meters/meters.ts'
import type { RelayParts } from './parts.ts'
import type { Route } from './routes.ts'
import { joinSibling } from './siblings.ts'
import type { Visit } from './visit.ts'

/**
 * A request that is on its way when the relay begins to leave, or when an answer was late, still finds its connection:
 * one that does nothing is closed after half a second. The next request on a connection is its last, and loses nothing.
 */
const leaveEveryMs = 50

/** The form of the control plane, which stands beside the pages of the codes. */
function reportUrlOf({ controlUrl, docsUrl = controlUrl }: RelayConfig): string {
  return `${docsUrl.replace(/\/$/, '')}/report`
}

export class HttpVisitors {
  readonly #parts: RelayParts
  readonly #connections = new Set<HttpConnection>()
  #leaving: Timer | undefined
  readonly #deps: HttpVisitorDeps
  readonly #ownNames: ReadonlySet<string>
  readonly #agentSni: string
  #httpsPort = 443

  constructor(parts: RelayParts, { config, log }: { readonly config: RelayConfig; readonly log: Log }) {
    this.#parts = parts
    this.#ownNames = new Set(config.public.names)
    this.#agentSni = config.public.agentSni
    this.#deps = {
      httpsPort: () => this.#httpsPort,
      clock: parts.mux.clock,
      turn: parts.mux.turn,
      log,
      lookup: (host, head, proto) => this.#lookup(host, head.bytes, proto),
      work: ({ trusts, origin }, worker) =>
        trusts ? undefined : parts.visitors.sources.join(origin.address, worker),
      serveOwn: (socket, first) => parts.ownHost.serve(socket, first),
      refused: (key) => parts.meters.refused(key),
      welcome: (visitor, caller, host, head) => {
        const { socket, tls, trusts, isHop } = visitor
        const raw = tls?.raw ?? socket
        parts.silent.remove(raw)
        const late = trusts && parts.visitors.ofSource(caller.address)
        const refusal = late ?? this.#refusalWithoutProof(visitor, host, head)
        parts.visitors.isFor(raw, caller.address)
        return refusal ?? (isHop ? undefined : this.#findSibling(host, caller))
      },
      passOn: ({ socket, tls }, sibling, first) => {
        parts.visitors.passOn(tls?.raw ?? socket)
        joinSibling(socket, sibling, { clock: parts.mux.clock, first, raw: tls?.raw })
      },
      isHttp1Only: (host) => this.#isElsewhere(host) || this.#hasHttp2(host) === false,
      mayTakeBack: (address) => parts.visitors.mayTakeBack(address),
      memory: new HeldBodies(parts.mux.budget),
      abuseUrl: config.abuseUrl ?? reportUrlOf(config),
    }
  }

  /** The server of the plain port. It is not listening yet. */
  createServer(): Server {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.tcpKeepAliveMs,
    })
    const { origins, visitors } = this.#parts
    server.on('connection', (socket) => {
      origins.whenKnown(socket, 'http', () => {
        if (visitors.accept(socket) === undefined) return
        this.#serve({ socket, origin: origins.of(socket), trusts: origins.trustAt(socket) })
      })
    })
    return server
  }

  /** The port where the relay listens for HTTPS, for visitors who are sent there. */
  httpsAt(port: number): void {
    this.#httpsPort = port
  }

  /** Serves a visitor whose TLS is up; `raw` was admitted before. */
  serveTls(socket: TLSSocket, raw: Socket): void {
    const { servername: sni } = socket
    if (typeof sni !== 'string' || raw.remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const { origins, visitors } = this.#parts
    visitors.unread.readBy(raw, socket)
    const tls = { sni: sni.toLowerCase(), raw, isProven: socket.authorized }
    const options = { socket, origin: origins.of(raw), tls, trusts: origins.trustAt(raw) }
    this.#serve(options, socket.alpnProtocol === 'h2')
  }

  /**
   * Serves a visitor that another process of this machine hands over, for one request. Its next request is routed anew.
   */
  serveHop(socket: Socket, { kind, endpoint, origin }: Hop): void {
    // Its certificate was looked at where its TLS ended.
    const tls = { sni: endpoint.slice('host:'.length), raw: socket, isProven: true }
    this.#serve({ socket, origin, isHop: true, ...(kind === 'https' && { tls }) }).startLeaving()
  }

  /** How many connections have asked for nothing yet. */
  get unasked(): number {
    let count = 0
    for (const connection of this.#connections) if (connection.isUnasked) count++
    return count
  }

  /** Ends connections as soon as all requests on them are answered. New connections serve one request. */
  startLeaving(): void {
    const { clock } = this.#parts.mux
    for (const connection of this.#connections) connection.startLeaving()
    this.#leaving ??= clock.every(leaveEveryMs, () => {
      for (const connection of this.#connections) connection.leaveIfDone()
    })
  }

  close(): void {
    this.#leaving?.clear()
  }

  /** Why a request may not pass that came without the certificate which its host demands. */
  #refusalWithoutProof(
    { tls }: HttpVisitorOptions,
    host: string,
    head?: Pick<RequestHead, 'bytes'>,
  ): ErrorKey | undefined {
    if (tls?.isProven || !this.#parts.pulls?.demands(host)) return undefined
    if (tls) return 'http.misdirected'
    return head && this.#isChallenge(host, head.bytes) ? undefined : 'http.https_only'
  }

  #findSibling(host: string, caller: VisitorSource) {
    if (!this.#isElsewhere(host)) return undefined
    return this.#parts.siblings?.find({ kind: caller.proto, endpoint: `host:${host}`, origin: caller })
  }

  /** Whether another process of this machine may serve the host now. */
  #isElsewhere(host: string): boolean {
    const { siblings, routes, names } = this.#parts
    return siblings !== undefined && !this.#ownNames.has(host) && !routes.servesWell(names.endpointOf(host))
  }

  #serve(options: HttpVisitorOptions, isHttp2 = false): HttpConnection {
    const raw = options.tls?.raw ?? options.socket
    const { silent, meters, origins } = this.#parts
    if (!options.isHop)
      silent.add(raw, origins.pathOf(raw), () => {
        meters.refused('visitor.silent')
        raw.destroy()
      })
    meters.spoke(isHttp2 ? 'h2' : 'http1')
    const serve = isHttp2 ? serveHttp2Visitor : serveHttpVisitor
    const connection = serve(options, this.#deps)
    this.#connections.add(connection)
    options.socket.once('close', () => {
      this.#connections.delete(connection)
      silent.remove(raw)
    })
    if (this.#leaving) connection.startLeaving()
    return connection
  }

  /** Whether HTTPS for `name` is ours to answer: our own names, and all names under the cell's domain. */
  servesName(name: string): boolean {
    const { state, names } = this.#parts
    const domain = state.cell?.domain
    if (this.#ownNames.has(name) || names.resolve(name) !== undefined) return true
    if (names.offline(name) === 'http') return true
    return domain !== undefined && name.endsWith(`.${domain}`)
  }

  /**
   * Whether visitors may speak HTTP/2 for this name: its tunnel is served here and nowhere else on this machine, since
   * other processes get visitors in HTTP/1.1, and so do the relay's own names. A visitor that speaks nothing else, as
   * gRPC clients do, gets an answer that says to come again instead of a failed handshake.
   */
  speaksHttp2(name: string, isOnly: boolean): boolean {
    if (this.#ownNames.has(name) || (!isOnly && (this.#leaving || this.#isElsewhere(name)))) return false
    return this.#hasHttp2(name) === true
  }

  /** Whether the feature flag allows HTTP/2 for the name of an http tunnel; undefined for every other name. */
  #hasHttp2(name: string): boolean | undefined {
    const { names, state } = this.#parts
    const claims = names.resolve(name)?.claims
    if ((claims?.kind ?? names.offline(name)) !== 'http') return undefined
    return isFlagOn('visitor-http2', state.flags, claims?.account)
  }

  /** The tunnel of `name` that wants its visitors' TLS untouched. */
  passthrough(name: string): Route | undefined {
    const route = this.#parts.names.resolve(name)
    return route?.claims.kind === 'tls' ? route : undefined
  }

  /** If the tunnel of the name ends TLS itself and is offline: the meters that count its visitors. */
  offline(name: string): Pick<Meters, 'refused'> | undefined {
    const { names, meters } = this.#parts
    const route = names.resolve(name)
    if (route === undefined) return names.offline(name) === 'tls' ? meters : undefined
    return route.claims.kind === 'tls' && route.members.length === 0 ? route.meter : undefined
  }

  /**
   * Asks which process serves the tls tunnel of `name`. It does not ask for our own names, or for names whose TLS ends
   * here.
   */
  findTlsSibling(name: string, origin: Origin): Promise<Socket | undefined> | undefined {
    const { siblings, routes, names } = this.#parts
    const endpoint = `host:${name}`
    const isOurs =
      this.#ownNames.has(name) || name === this.#agentSni || names.resolve(name)?.claims.kind === 'http'
    if (!siblings || isOurs || routes.servesWell(names.endpointOf(name))) return undefined
    return siblings.find({ kind: 'raw', endpoint, origin })
  }

  /** @throws tunnel.away when the name does not lead to the tunnel any more */
  #routeNow(host: string, before: Route): Route {
    const route = this.#parts.names.resolve(host)
    if (route === undefined && before.name !== undefined) throw fail('tunnel.away')
    return route ?? before
  }

  #judge(
    route: Route,
    body: number | 'chunked',
    { address, proto }: VisitorSource,
  ): ErrorKey | number | undefined {
    const { httpsOnly, bodyBytesMax = Number.POSITIVE_INFINITY } = route.policy
    if (httpsOnly === true && proto === 'http') return 'http.https_only'
    if (body !== 'chunked' && body > bodyBytesMax) return 'http.body_limit'
    const refusal = this.#parts.visitors.ofRequest(address, route)
    return refusal ?? (body === 'chunked' ? route.policy.bodyBytesMax : undefined)
  }

  /**
   * Not for names that the cell's wildcard covers, as nobody orders for these, and not for own domains whose upstream
   * orders itself.
   */
  #isChallenge(host: string, head: Buffer): boolean {
    const { certificates, names, state } = this.#parts
    if (certificates.thumbprint === undefined || !asksForChallenge(head)) return false
    const { domain } = state.cell ?? {}
    // Names of the service stay the relay's: their orders are the operator's, and few a week.
    const isOwn = domain !== undefined && !host.endsWith(`.${domain}`)
    if (isOwn && names.resolve(host)?.policy.acme === 'upstream') return false
    return domain === undefined || !isUnder(host, domain) || !certificates.covers(`any.${domain}`)
  }

  #lookup(host: string, head: Buffer, proto: VisitorSource['proto']): ReturnType<HttpVisitorDeps['lookup']> {
    if (this.#ownNames.has(host) || this.#isChallenge(host, head)) return 'own'
    const { names, visitors } = this.#parts
    const route = names.resolve(host)
    if (route === undefined && names.isTakenDown(host)) return 'tunnel.taken_down'
    if (route === undefined && names.offline(host) !== undefined) return 'tunnel.away'
    // Its TLS ends elsewhere. Who has ended it before us, as a proxy, cannot come in.
    if (route?.claims.kind === 'tls' && proto === 'http') return 'http.https_only'
    if (route?.claims.kind !== 'http') return 'http.unknown_host'
    return {
      // Asked again for a later stream of the connection: the agent may have come back, or the policy changed.
      open: (info, { onStream, onFailed }, isKnown) => {
        const events = { onFailed, onVisit: ({ stream }: Visit) => onStream(stream) }
        return visitors.open(this.#routeNow(host, route), info, events, isKnown)
      },
      judge: ({ body }, caller) => this.#judge(names.resolve(host) ?? route, body, caller),
      closed: (stream, end) => visitors.closed(stream, end),
      answers: {
        now: () => this.#deps.clock.monotonic(),
        answered: (status, latencyMs) => route.meter.answers.answered(status, latencyMs),
        unanswered: () => route.meter.answers.unanswered(),
      },
      refused: (key) => route.meter.refused(key),
    }
  }
}

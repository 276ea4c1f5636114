/** The parts of a running relay: its listeners, its regular tasks, and how all of it ends. */
import type { Server as HttpServer } from 'node:http'
import { isIP, type Server, type Socket } from 'node:net'
import { hostname } from 'node:os'
import type { SyncAnswer, SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { readCarrierHop } from './carrier-hop.ts'
import type { RelayConfig } from './config.ts'
import type { Hop } from './hop-header.ts'
import { HttpVisitors } from './http-visitors.ts'
import { closeServer, closeWhenEmpty, listen } from './listeners/listen.ts'
import { TlsListener, type TlsOptions } from './listeners/tls.ts'
import { adminServer } from './meters/admin.ts'
import { LoadMeter } from './meters/load.ts'
import type { RelayParts } from './parts.ts'
import type { Route } from './routes.ts'
import type { ControlSync } from './sync.ts'
import { ticketKeys } from './ticket-keys.ts'
import { version } from './version.ts'
import { spliceVisitor } from './visitor.ts'

/** Where a relay listens, once started. */
export type RelayPorts = {
  readonly tlsPort: number
  readonly httpPort: number
  readonly adminPort: number
  /** This process's own ports, where it shares the other two with other processes. */
  readonly own?: { readonly tlsPort: number; readonly httpPort: number }
}

/** A visitor whose connection was accepted just before the drain has this long to send its request. */
const settleMsMax = 1_000
const settlePollMs = 25
/** Counting the endpoints of thousands of agents takes a millisecond. */
const handOverPollMs = 50

export class Running {
  readonly parts: RelayParts
  #sync: ControlSync | undefined
  readonly #config: RelayConfig
  readonly #log: Log
  readonly #web: HttpVisitors
  readonly #http: Server
  readonly #tls: TlsListener
  /** It does not listen where one process has the machine to itself. */
  readonly #ownHttp: Server
  readonly #ownTls: TlsListener
  readonly #admin: HttpServer
  readonly #load: LoadMeter
  #ticketSecret: string | undefined
  #ticketKeys: Buffer | undefined
  /** The visitors' ports are closed. */
  #stopped: Promise<unknown> = Promise.resolve()

  constructor(
    parts: RelayParts,
    { config, log, clock }: { readonly config: RelayConfig; readonly log: Log; readonly clock: Clock },
    notReady: () => string | undefined,
  ) {
    const { identity, routes, visitors, origins, meters, sessions, mux, metrics } = parts
    this.parts = parts
    this.#config = config
    this.#log = log
    this.#load = new LoadMeter(clock)
    const web = new HttpVisitors(parts, { config, log })
    this.#web = web
    this.#http = web.createServer()
    this.#ownHttp = web.createServer()
    const tlsOptions: TlsOptions = {
      clock,
      log,
      identity,
      visitors,
      origins,
      meters,
      turn: mux.turn,
      silent: parts.silent,
      handshakes: parts.handshakes,
      agentSni: config.public.agentSni,
      servesName: (name) => web.servesName(name),
      speaksHttp2: (name, isOnly) => web.speaksHttp2(name, isOnly),
      passthrough: (name) => web.passthrough(name),
      offline: (name) => web.offline(name),
      findSibling: (name, origin) => web.findTlsSibling(name, origin),
      certificates: parts.certificates,
      pulls: parts.pulls,
      onAgent: (socket) => void sessions.accept(socket),
      onVisitor: (socket, raw) => web.serveTls(socket, raw),
    }
    this.#tls = new TlsListener(tlsOptions)
    this.#ownTls = new TlsListener(tlsOptions)
    const load = () => ({ sessions: sessions.size, streams: visitors.active, served: routes.served })
    const names = [...config.public.names, ...config.listen.admin.names, hostname()]
    const { figures } = config.listen.admin
    this.#admin = adminServer({ registry: metrics.registry, figures, names, log, notReady, load })
  }

  /** undefined until the relay has proved itself. */
  get sync(): ControlSync | undefined {
    return this.#sync
  }

  /** Call it when the relay has proved itself: reports go this way from now on. */
  syncBy(sync: ControlSync): void {
    this.#sync = sync
  }

  get tlsStrangers(): number {
    return this.#tls.strangers + this.#ownTls.strangers
  }

  /** @throws relay.port */
  async listen(): Promise<RelayPorts> {
    const { tls, http, admin, own } = this.#config.listen
    const log = this.#log
    const sharing = this.parts.siblings
    await sharing?.listen()
    const tlsPort = await this.#tls.listen({ ...tls, sharing })
    this.#web.httpsAt(tlsPort)
    const httpPort = await listen(this.#http, { ...http, sharing, log })
    const adminPort = await listen(this.#admin, { ...admin, sharing, log })
    sharing?.serve({
      accepts: (hop) => this.#acceptsHop(hop),
      serve: (socket, hop) => this.#serveHop(socket, hop),
    })
    if (own === undefined) return { tlsPort, httpPort, adminPort }
    const { host } = own
    const ownTls = await this.#ownTls.listen({ host, port: own.tlsPort, sharing })
    const ownHttp = await listen(this.#ownHttp, { host, port: own.httpPort, sharing, log })
    return { tlsPort, httpPort, adminPort, own: { tlsPort: ownTls, httpPort: ownHttp } }
  }

  /** What this process reports about itself in `sync`. */
  describe(ports: RelayPorts, state: SyncRequest['state']): Pick<SyncRequest, 'boot' | 'state' | 'load'> {
    const { instance, public: face } = this.#config
    const { boot, identity, meters, sessions, visitors } = this.parts
    return {
      boot: {
        instance,
        boot,
        version,
        agentAddress: {
          host: face.agentHost,
          port: face.agentPort ?? ports.own?.tlsPort ?? ports.tlsPort,
          sni: face.agentSni,
          ...(identity.isSelfSigned && { certificate: identity.certificate }),
        },
        watchUrl: face.watchUrl ?? this.#watchUrl(ports),
      },
      state,
      load: this.#load.read({
        sessions: sessions.size,
        streams: visitors.active,
        carriedBytes: meters.carriedBytes(),
      }),
    }
  }

  /** By TLS as soon as the name has a certificate, because a console that is read by https may load nothing else. */
  #watchUrl({ tlsPort, httpPort, own }: RelayPorts): string {
    const { names } = this.#config.public
    const trusted = names.find((each) => isIP(each) === 0 && this.parts.certificates.covers(each))
    const isTrusted = trusted !== undefined
    const name = trusted ?? names[0]
    const port = isTrusted ? (own?.tlsPort ?? tlsPort) : (own?.httpPort ?? httpPort)
    return `${isTrusted ? 'https' : 'http'}://${name}:${port}`
  }

  /** Every few seconds: keeps figures, on disk too, and round trips; finds visitors and certificates that are gone. */
  housework(): void {
    const { sessions, visitors, metrics, journal, keeper, meters, names, time, certificates } = this.parts
    for (const { rttMs } of sessions.all()) if (rttMs !== undefined) metrics.observeRtt(rttMs)
    journal.account(meters.all(), time.now())
    names.check()
    visitors.lookForGone()
    certificates.look()
    this.#setTicketKeys()
    void keeper.save()
  }

  /** Takes what the control plane says about the cell's TLS. */
  takeTls(tls: SyncAnswer['tls']): void {
    const { certificates, state } = this.parts
    this.#ticketSecret = tls?.ticketSecret
    // If there is a wildcard, it is the cell's own name that has it.
    const names = [...this.#config.public.names, ...(state.cell ? [state.cell.domain] : [])]
    for (const name of names) if (isIP(name) === 0) certificates.serve(name)
    certificates.tell(tls?.thumbprint)
    this.#setTicketKeys()
  }

  /** Sets them anew each day. Until there is a secret, Node's own keys are in use. */
  #setTicketKeys(): void {
    if (this.#ticketSecret === undefined) return
    const keys = ticketKeys(this.#ticketSecret, this.parts.time.now())
    if (this.#ticketKeys?.equals(keys)) return
    this.#ticketKeys = keys
    for (const listener of [this.#tls, this.#ownTls]) listener.setTicketKeys(keys)
  }

  /** Saves what a command has changed, so that it outlives a restart. */
  remember(): void {
    void this.parts.keeper.save()
  }

  /** New visitors find the ports closed; agents still get an answer. HTTP connections end at their next pause. */
  stopVisitors(): void {
    const isShared = this.#config.listen.own !== undefined
    this.#stopped = Promise.all([
      closeWhenEmpty(this.#http),
      closeWhenEmpty(this.#ownHttp),
      this.parts.tcp.closeAll(),
      isShared && this.#tls.stopListening(),
    ])
    this.#web.startLeaving()
  }

  /** A successor listens at the same ports: leaves them to it, and leased ports when their agents have come to it. */
  async handOver(signal: AbortSignal): Promise<void> {
    const { mux, routes } = this.parts
    await Promise.all([
      this.#tls.stopListening(),
      this.#ownTls.stopListening(),
      ...[this.#http, this.#ownHttp, this.#admin].map(closeWhenEmpty),
    ])
    while (!signal.aborted && routes.served > 0) await sleep(mux.clock, handOverPollMs)
  }

  /** Resolves when all who came before the ports closed have said where they want to go, or after a second. */
  async settled(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts.mux
    await this.#stopped
    const untilMs = clock.monotonic() + settleMsMax
    while (!signal.aborted && clock.monotonic() < untilMs && this.#web.unasked + this.tlsStrangers > 0)
      await sleep(clock, settlePollMs)
  }

  async close(): Promise<void> {
    const { sessions, visitors, live, ownHost, tcp, journal, keeper, meters, time } = this.parts
    this.#load.close()
    closeServer(this.#http)
    closeServer(this.#ownHttp)
    this.#tls.close()
    this.#ownTls.close()
    this.parts.origins.close()
    this.#web.close()
    live.close()
    visitors.cut(() => true, 'relay.draining')
    sessions.close('relay.draining')
    ownHost.close()
    this.parts.certificates.close()
    await visitors.closeSockets()
    await this.#sync?.stop()
    await tcp.closeAll()
    journal.account(meters.all(), time.now())
    closeServer(this.#admin)
    this.#admin.closeAllConnections()
    await keeper.save()
    // From here on the successor may use the name, and the data folder is not touched.
    this.parts.siblings?.close()
  }

  #acceptsHop({ kind, endpoint }: Hop): boolean {
    if (kind === 'carrier') return this.parts.sessions.has(readCarrierHop(endpoint)?.session ?? '')
    const route = this.#routeOf(endpoint)
    if (route === undefined) return false
    return this.parts.routes.servesWell(route.endpoint) && (route.claims.kind === 'http') === (kind !== 'raw')
  }

  /** A hop names what the visitor asked for, which may be a further name of a tunnel. */
  #routeOf(endpoint: string): Route | undefined {
    const { routes, names } = this.parts
    const host = /^host:(.*)$/.exec(endpoint)?.[1]
    return host === undefined ? routes.find(endpoint) : names.resolve(host)
  }

  #serveHop(socket: Socket, hop: Hop): void {
    const { visitors, origins, mux, sessions } = this.parts
    origins.tell(socket, hop.origin)
    const carrier = hop.kind === 'carrier' && readCarrierHop(hop.endpoint)
    if (carrier) {
      sessions.acceptHop(socket, carrier)
      return
    }
    if (!visitors.welcome(socket)) return
    if (hop.kind !== 'raw') {
      this.#web.serveHop(socket, hop)
      return
    }
    const route = this.#routeOf(hop.endpoint)
    if (route === undefined) socket.destroy()
    else spliceVisitor(socket, route, { visitors, turn: mux.turn })
  }
}

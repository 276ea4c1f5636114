/**
 * The parts of a relay and how they know each other. Reads the data folder and the certificate and opens no port;
 * relay.ts starts, drains and ends it.
 */
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { codes, type ErrorKey, wireCode } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { memoryBytes } from '@porttunneler/shared/base/memory'
import { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import { Budget } from '@porttunneler/shared/mux/budget'
import type { MuxShared } from '@porttunneler/shared/mux/fresh-carrier'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import { Turn } from '@porttunneler/shared/mux/turn'
import { readIdentity, selfSignedIdentity, type TlsIdentity } from './certificate.ts'
import { Certificates } from './certificates.ts'
import type { RelayConfig } from './config.ts'
import { closeDataDir } from './data-dir.ts'
import { Keeper } from './keeper.ts'
import { Origins } from './listeners/origins.ts'
import { TcpListeners } from './listeners/tcp.ts'
import { visitorCiphers } from './listeners/tls.ts'
import { LiveFigures } from './live.ts'
import { ConnectionLog } from './meters/connection-log.ts'
import { Meters } from './meters/meters.ts'
import { makeMetrics, type RegistryOptions, type RelayMetrics } from './meters/registry.ts'
import { newBoot, UsageJournal } from './meters/usage.ts'
import { Names } from './names.ts'
import { type OriginPulls, readOriginPulls } from './origin-pulls.ts'
import { OwnHost } from './own-host.ts'
import { Places } from './places.ts'
import { Admission } from './policy/admission.ts'
import { type Guards, makeGuards } from './policy/guards.ts'
import { Routes } from './routes.ts'
import { SecurityEvents } from './security-events.ts'
import { ServerTime } from './server-time.ts'
import { AgentSessions } from './sessions.ts'
import { Siblings } from './siblings.ts'
import { RelayState } from './state.ts'
import { Visitors, type VisitorsOptions } from './visitors.ts'

export type PartsOptions = {
  readonly config: RelayConfig
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: Log
  /** Why no agent is accepted now. */
  refusal(): ErrorKey | undefined
  /** Resolves when the start is over, with success or without. */
  readonly started: Promise<void>
  /** A ticket names a key that the relay does not have. */
  onUnknownKey(): void
  /** An agent left for good, or came back: the control plane should be told. */
  onPresence(): void
  syncFailures(): number
}

export type RelayParts = Guards & {
  /** The boot of this process, as `sync` needs it. */
  readonly boot: string
  readonly identity: TlsIdentity
  readonly certificates: Certificates
  /** undefined: no name demands a certificate of its visitors. */
  readonly pulls: OriginPulls | undefined
  readonly state: RelayState
  readonly time: ServerTime
  readonly events: SecurityEvents
  readonly places: Places
  readonly keeper: Keeper
  readonly meters: Meters
  readonly metrics: RelayMetrics
  readonly journal: UsageJournal
  readonly connections: ConnectionLog
  readonly routes: Routes
  readonly names: Names
  readonly origins: Origins
  readonly proxies: TrustedProxies
  readonly visitors: Visitors
  readonly tcp: TcpListeners
  readonly sessions: AgentSessions
  readonly live: LiveFigures
  readonly ownHost: OwnHost
  readonly mux: MuxShared
  /** undefined: this process has the machine's ports for itself. */
  readonly siblings: Siblings | undefined
}

/** The share of memory that streams may hold; the rest is for Node, the kernel and other programs. */
const budgetShare = 0.25

/** Makes the parts that depend on no other: read from disk, or made from the clock alone. */
async function makeFoundation({ config, clock, log }: PartsOptions, isServed: (name: string) => boolean) {
  const boot = newBoot(clock.now())
  const { dataDir, limits } = config
  closeDataDir(dataDir)
  const damaged: string[] = []
  const { code, title, cure } = codes['relay.set_aside']
  const onSetAside = (file: string, error: unknown) => {
    damaged.push(file)
    log.error({ code, cure, file, error }, title)
  }
  const state = await RelayState.load(dataDir, onSetAside)
  const time = new ServerTime(clock, state.timeOffsetMs)
  const identity = await loadIdentity(config, clock)
  const nowMs = time.now()
  const pulls = await readOriginPulls(config)
  const journal = await UsageJournal.load(dataDir, { boot, nowMs, everyMs: limits.usageMs, onSetAside })
  const events = await SecurityEvents.load(dataDir, time, onSetAside)
  const certificates = await Certificates.load(
    {
      clock,
      log,
      dataDir,
      tls: { minVersion: 'TLSv1.2', ciphers: visitorCiphers, ...(pulls && { ca: pulls.ca }) },
      isServed,
    },
    onSetAside,
  )
  const places = await Places.load(dataDir, onSetAside)
  for (const file of damaged) events.add('relay.set_aside', { code, file })
  const keeper = new Keeper({ state, journal, events, places, certificates, log })
  const budget = new Budget(memoryBytes() * budgetShare, undefined, { isFair: true })
  const mux = { clock, turn: new Turn(), budget, liveness: new Liveness({ clock, side: 'relay' }) }
  return { boot, state, identity, certificates, pulls, journal, time, events, places, keeper, mux }
}

function makeNames(
  { state, places, time, certificates }: Pick<RelayParts, 'state' | 'places' | 'time' | 'certificates'>,
  routes: Routes,
  visitors: () => Visitors,
): Names {
  return new Names({
    knowledge: state.names,
    takenDown: state.takenDown,
    places,
    routes,
    domain: () => state.cell?.domain,
    moment: () => time.moment(),
    onHosts: (hosts) => {
      for (const host of hosts) certificates.serve(host)
    },
    cut: (matches) => visitors().cut(matches, 'session.revoked'),
  })
}

/** Whether a certificate of the name is useful: its own, the cell's, or that of a tunnel here. */
function isServedHere(name: string, config: RelayConfig, { cell }: RelayState, names: Names): boolean {
  if (config.public.names.includes(name) || name === cell?.domain) return true
  return names.resolve(name) !== undefined || names.offline(name) !== undefined
}

function makeOrigins({ config, clock }: PartsOptions, proxies: TrustedProxies, meters: Meters): Origins {
  return new Origins({
    clock,
    proxies,
    headerAt: config.proxyProtocol,
    waitingMax: config.limits.strangersMax,
    refused: (reason) => meters.refused(reason),
  })
}

/** @throws relay.data, relay.certificate */
export async function makeParts(options: PartsOptions): Promise<RelayParts> {
  const { config, clock, log } = options
  const { listen, instance, docsUrl = config.controlUrl } = config
  const proxies = new TrustedProxies(config.trustedProxies)
  const limits = { ...config.limits, exempt: [...config.limits.exempt, ...proxies.own] }
  const isServed = (name: string) => isServedHere(name, config, foundation.state, names)
  const foundation = await makeFoundation(options, isServed)
  proxies.learn(foundation.state.proxyNetworks?.cloudflare)
  const { state, mux } = foundation
  const meters = new Meters((tunnel) => metrics.forget(tunnel))
  foundation.journal.whenHour((hour) => meters.shares.mark(hour))
  const routes: Routes = new Routes({
    clock,
    meters,
    decrees: state.decrees,
    onGone: ({ claims, endpoint }) => {
      if (claims.kind === 'tcp') tcp.close(endpoint)
    },
    onPresence: options.onPresence,
    onDetached: (session) => visitors.abandon(session),
  })
  const connections = makeConnections(options, foundation, routes)
  const names: Names = makeNames(foundation, routes, () => visitors)
  const origins = makeOrigins(options, proxies, meters)
  const visitors: Visitors = new Visitors({
    origins,
    clock,
    meters,
    endings: mux.turn.endings,
    isShortOfMemory: () => guards.shedding.isShort,
    visitorsMax: limits.visitorsMax,
    exempt: limits.exempt,
    admission: new Admission(clock, limits),
    onConnected: ({ claims }, ms) => metrics.observeConnect(claims.sub, ms),
    ...connectionEvents(connections, clock),
  })
  const guards = makeGuards(options, visitors, proxies)
  const siblings = makeSiblings(options)
  const tcp = new TcpListeners({
    host: listen.tcpHost,
    routes,
    visitors,
    origins,
    meters,
    turn: mux.turn,
    log,
    siblings,
  })
  const given = { ...options, ...limits, ...foundation, instance, meters, routes, names, connections }
  const sessions = new AgentSessions({ ...given, tcp, origins, siblings })
  const live = new LiveFigures({ ...given, docsUrl })
  const metrics = makeMetrics(readings({ ...given, ...guards, sessions, visitors }))
  return {
    ...foundation,
    meters,
    metrics,
    connections,
    routes,
    names,
    origins,
    proxies,
    ...guards,
    visitors,
    tcp,
    sessions,
    live,
    siblings,
    ownHost: new OwnHost(live, () => foundation.certificates.thumbprint),
  }
}

function makeSiblings({ config: { listen, instance }, clock, log }: PartsOptions): Siblings | undefined {
  const { siblings: folder } = listen
  return folder === undefined ? undefined : new Siblings({ folder, instance, clock, log })
}

function makeConnections(
  { random }: Pick<PartsOptions, 'random'>,
  { boot, time }: Pick<RelayParts, 'boot' | 'time'>,
  routes: Routes,
): ConnectionLog {
  const keeps = (tunnel: string) => routes.ofTunnel(tunnel)?.policy.keepConnections
  return new ConnectionLog({ boot, random, now: () => time.now(), keeps })
}

/** Each visitor who ends or is refused, as the list of connections has it. */
function connectionEvents(log: ConnectionLog, clock: Clock): Pick<VisitorsOptions, 'onEnded' | 'onRefused'> {
  return {
    onEnded: ({ route: { claims }, stream, startedMs }, code) =>
      log.ended({
        tunnel: claims.sub,
        account: claims.account,
        address: stream.info.visitorAddress,
        ms: Math.round(clock.monotonic() - startedMs),
        in: stream.bytesOut,
        out: stream.bytesIn,
        code,
      }),
    onRefused: ({ claims }, address, key) =>
      log.ended({
        tunnel: claims.sub,
        account: claims.account,
        address,
        ...{ ms: 0, in: 0, out: 0 },
        code: wireCode(key),
      }),
  }
}

type ReadParts = Pick<
  RelayParts,
  | 'connections'
  | 'meters'
  | 'sessions'
  | 'visitors'
  | 'silent'
  | 'handshakes'
  | 'shedding'
  | 'mux'
  | 'journal'
  | 'events'
  | 'keeper'
  | 'time'
> &
  Pick<PartsOptions, 'syncFailures'>

/** The values that the metrics read when somebody scrapes. */
function readings({
  meters,
  sessions,
  visitors,
  silent,
  handshakes,
  shedding,
  mux,
  journal,
  events,
  keeper,
  time,
  connections,
  syncFailures,
}: ReadParts): RegistryOptions {
  return {
    meters,
    sessions: () => sessions.size,
    visitors: () => visitors.sockets,
    strangers: () =>
      silent.size + handshakes.agents.running + handshakes.visitors.running + sessions.strangers,
    isShortOfMemory: () => shedding.isShort,
    held: () => mux.budget.usedBytes,
    usageRows: () => journal.size,
    usageDropped: () => journal.dropped,
    usageRefused: () => journal.refused,
    eventsDropped: () => events.dropped,
    connectionsDropped: () => connections.dropped,
    diskFailures: () => keeper.failures,
    isDiskFailing: () => keeper.isFailing,
    syncFailures,
    clockAheadMs: () => -time.wallOffsetMs,
  }
}

async function loadIdentity(
  { certificate, dataDir, tlsDir = join(dataDir, 'tls'), public: face }: RelayConfig,
  clock: Clock,
): Promise<TlsIdentity> {
  if (certificate !== undefined) return await readIdentity(certificate)
  const wildcard = face.domain === undefined ? [] : [`*.${face.domain}`]
  const names = [...new Set([face.agentSni, ...face.names, ...wildcard])]
  return await selfSignedIdentity(tlsDir, { names, nowMs: clock.now() })
}

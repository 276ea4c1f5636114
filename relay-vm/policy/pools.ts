/**
 * All the limited things of a relay that strangers share: the limit, the holders who share it when it is short, which
 * member of the largest holder yields, and the code that is then counted or sent. A pool is made only from its row here
 * (pools.test.ts checks them all); docs/relay.md shows the same table.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { FairPool, type Yields } from '@porttunneler/shared/base/fair-pool'

/** Who shares a pool, the larger holder first. `source`: network and address, see `sourcePath`. */
export type Holder = 'account' | 'tunnel' | 'agent' | 'endpoint' | 'kind' | 'source'

export type PoolRow = {
  readonly holds: string
  /** Its name in the configuration with the default, or the number that is built in. */
  readonly limit: string
  readonly share: readonly Holder[]
  /**
   * Which member of the largest holder yields. `refused`: none, but this holder is refused while others are not.
   * `waits`: its answer comes later than others'.
   */
  readonly yields: Yields | 'refused' | 'waits' | 'most held'
  /** See `FairPoolOptions`, ms. */
  readonly patienceMs?: number
  /** The code that is sent or counted; events and log lines have a counter of their own. */
  readonly code: ErrorKey | `ptun_${'connections' | 'events' | 'usage'}_dropped_total` | 'linesLeftOut'
}

/**
 * A handshake on a slow line is over by then. Thousands of agents come at once after a crash, and with less patience a
 * relay would end the handshakes that it has nearly done.
 */
const handshakePatienceMs = 3_000

/** Things that are held: each holder occupies a place until it is done. */
export const pools = {
  header: {
    holds: 'connections of trusted proxies before their PROXY header',
    limit: 'strangersMax (2,000)',
    share: ['source'],
    yields: 'oldest',
    code: 'visitor.silent',
  },
  sockets: {
    holds: 'visitors’ connections',
    limit: 'visitorsMax (50,000)',
    share: ['source'],
    yields: 'newest',
    code: 'visitor.limit',
  },
  silent: {
    holds: 'connections before their ClientHello or first request head',
    limit: 'strangersMax (2,000)',
    share: ['source'],
    yields: 'oldest',
    code: 'visitor.silent',
  },
  visitorHandshakes: {
    holds: 'running TLS handshakes of visitors',
    limit: 'handshakes.running (512)',
    share: ['source'],
    yields: 'oldest',
    patienceMs: handshakePatienceMs,
    code: 'tls.budget',
  },
  agentHandshakes: {
    holds: 'running TLS handshakes of agents',
    limit: 'handshakes.running (512)',
    share: ['source'],
    yields: 'oldest',
    patienceMs: handshakePatienceMs,
    code: 'tls.budget',
  },
  carriers: {
    holds: 'agents’ connections before or during the check of their HELLO',
    limit: 'strangersMax (2,000)',
    share: ['source'],
    yields: 'oldest',
    patienceMs: handshakePatienceMs,
    code: 'session.limit',
  },
  sessions: {
    holds: 'agents’ sessions; two for one agent at most',
    limit: 'sessionsMax (5,000)',
    share: ['account', 'agent'],
    yields: 'newest',
    code: 'session.limit',
  },
  streams: {
    holds: 'visitors of tunnels; each tunnel and account also has its plan’s limit',
    limit: 'nine tenths of visitorsMax',
    share: ['account', 'tunnel', 'source'],
    yields: 'newest',
    code: 'tunnel.limit',
  },
  feeds: {
    holds: 'live feeds; watchersPerAccount (50) of one account at most',
    limit: 'watchersMax (500)',
    share: ['account'],
    yields: 'newest',
    code: 'watch.limit',
  },
  history: {
    holds: 'tunnels with a chart of their last six hours, by second and by ten seconds',
    limit: '512',
    share: ['account', 'tunnel'],
    yields: 'newest',
    code: 'watch.limit',
  },
  places: {
    holds: 'hosts of endpoints served within a day, whose visitors are told that the tunnel is offline',
    limit: '20,000',
    share: ['account'],
    yields: 'oldest',
    code: 'http.unknown_host',
  },
  asks: {
    holds: 'questions to other processes of the machine about who serves a visitor or has a session',
    limit: '512',
    share: ['source', 'endpoint'],
    yields: 'newest',
    code: 'tunnel.away',
  },
  hops: {
    holds: 'visitors and agents’ connections handed over by other processes, before their header',
    limit: '1,024',
    share: [],
    yields: 'oldest',
    code: 'visitor.silent',
  },
  events: {
    holds: 'security events that wait to be reported',
    limit: '1,000',
    share: ['kind', 'source'],
    yields: 'newest',
    code: 'ptun_events_dropped_total',
  },
  usage: {
    holds: 'hours of tunnels not yet reported to the control plane; reports take turns by account',
    limit: '50,000',
    share: ['account', 'tunnel'],
    yields: 'oldest',
    code: 'ptun_usage_dropped_total',
  },
  minutes: {
    holds: 'those of them with figures for each minute, for charts',
    limit: '10,000',
    share: ['account', 'tunnel'],
    yields: 'oldest',
    code: 'ptun_usage_dropped_total',
  },
  connections: {
    holds: 'ended connections, of tunnels that keep them, that wait to be reported',
    limit: '20,000',
    share: ['account', 'tunnel'],
    yields: 'oldest',
    code: 'ptun_connections_dropped_total',
  },
} as const satisfies Record<string, PoolRow>

/** Things that are limited by time: tokens a minute. A /48 may begin four times as many as one /64. */
export const rates = {
  accept: {
    holds: 'new connections of one network',
    limit: 'source (100 a second, burst 1,000)',
    share: ['source'],
    yields: 'refused',
    code: 'visitor.rate',
  },
  visitorHandshakeRate: {
    holds: 'TLS handshakes of visitors; `handshakes.source` also bounds one network',
    limit: 'handshakes.visitors (1,000 a second, burst 2,000)',
    share: ['source'],
    yields: 'refused',
    code: 'tls.budget',
  },
  agentHandshakeRate: {
    holds: 'TLS handshakes of agents; `handshakes.source` also bounds one network',
    limit: 'handshakes.agents (1,000 a second, burst 5,000)',
    share: ['source'],
    yields: 'refused',
    code: 'tls.budget',
  },
  takenBack: {
    holds: 'requests over HTTP/2 that visitors of one network take back before they are answered',
    limit: '100 a second, burst 1,000',
    share: ['source'],
    yields: 'refused',
    code: 'http.taken_back',
  },
  tunnel: {
    holds: 'new visitors of one tunnel',
    limit: 'its policy’s',
    share: ['source'],
    yields: 'refused',
    code: 'tunnel.rate',
  },
  account: {
    holds: 'new visitors of one account',
    limit: 'account (10,000 a second, burst 60,000), or its plan’s',
    share: ['tunnel', 'source'],
    yields: 'refused',
    code: 'account.rate',
  },
  checks: {
    holds:
      'tickets of BIND to be checked; only the last of each binding waits, and at most 2,000 of one session',
    limit: '60,000 a minute',
    share: ['account', 'agent'],
    yields: 'waits',
    code: 'control.flood',
  },
  log: {
    holds: 'log lines that agents cause; warnings and errors of the relay itself are always written',
    limit: '6,000 a minute',
    share: ['account', 'agent'],
    yields: 'refused',
    code: 'linesLeftOut',
  },
} as const satisfies Record<string, PoolRow>

/** Bytes that are held: `Budget` of shared/mux. */
export const budgets = {
  streams: {
    holds: 'bytes of streams that wait to be taken or acknowledged',
    limit: 'a quarter of the memory',
    share: ['account', 'agent', 'tunnel', 'source'],
    yields: 'most held',
    code: 'stream.memory',
  },
} as const satisfies Record<string, PoolRow>

/**
 * What is kept of certificates. Names are those of bound tunnels, which plans limit; contexts are made again from what
 * is kept, so the one that was used longest ago goes.
 */
export const certificateLimits = { wishes: 10_000, contexts: 2_000 } as const

export type PoolName = keyof typeof pools

/**
 * The only way to make a pool of the relay.
 * @param clock for one that has patience
 */
export function makePool<Member>(name: PoolName, limit: number, clock?: Clock): FairPool<Member> {
  const { yields, patienceMs: ms }: PoolRow & { yields: (typeof pools)[PoolName]['yields'] } = pools[name]
  if (ms === undefined) return new FairPool<Member>({ limit, yields })
  if (!clock) throw new Error(`The pool of ${name} needs a clock.`)
  return new FairPool<Member>({ limit, yields, patience: { clock, ms } })
}

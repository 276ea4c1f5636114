/**
 * Everything of a relay that strangers share and that there is only so much of: the limit, the holders among whom it is
 * shared when it is short, who of the largest holder yields, and the code that is then counted or said. A pool is made
 * from its row here and from nothing else (pools.test.ts walks them); docs/relay.md shows the same table.
 */
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import { FairPool, type Yields } from '@porttunneler/shared/base/fair-pool'

/** By whom a pool is shared, the larger holder first. `source`: network and address, see `sourcePath`. */
export type Holder = 'account' | 'tunnel' | 'agent' | 'endpoint' | 'kind' | 'source'

export type PoolRow = {
  readonly holds: string
  /** Its name in the configuration with the default, or the number that is built in. */
  readonly limit: string
  readonly share: readonly Holder[]
  /** Who of the largest holder goes; `refused`: nobody, but it is told no while others are not. `waits`: it is
   * answered later than others. */
  readonly yields: Yields | 'refused' | 'waits' | 'most held'
  /** Said or counted; events and log lines have a counter of their own. */
  readonly code: ErrorKey | 'ptun_events_dropped_total' | 'ptun_usage_dropped_total' | 'linesLeftOut'
}

/** What is held: one who holds it occupies a place until it is done. */
export const pools = {
  header: {
    holds: 'connections of trusted proxies whose PROXY header is still to come',
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
    holds: 'connections whose ClientHello or first request head is still to come',
    limit: 'strangersMax (2,000)',
    share: ['source'],
    yields: 'oldest',
    code: 'visitor.silent',
  },
  visitorHandshakes: {
    holds: 'TLS handshakes of visitors under way',
    limit: 'handshakes.running (512)',
    share: ['source'],
    yields: 'oldest',
    code: 'tls.budget',
  },
  agentHandshakes: {
    holds: 'TLS handshakes of agents under way',
    limit: 'handshakes.running (512)',
    share: ['source'],
    yields: 'oldest',
    code: 'tls.budget',
  },
  carriers: {
    holds: 'agents’ connections whose HELLO is still to come, or being checked',
    limit: 'strangersMax (2,000)',
    share: ['source'],
    yields: 'oldest',
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
    holds: 'visitors of tunnels; each tunnel and account has its plan’s limit besides',
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
    holds: 'tunnels whose last half hour is kept by second and by ten seconds, for charts',
    limit: '512',
    share: ['account', 'tunnel'],
    yields: 'newest',
    code: 'watch.limit',
  },
  asks: {
    holds: 'questions to other processes of the machine who serves a visitor',
    limit: '512',
    share: ['source', 'endpoint'],
    yields: 'newest',
    code: 'tunnel.away',
  },
  hops: {
    holds: 'visitors handed over by other processes whose header is still to come',
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
    holds: 'hours of tunnels that the control plane has not heard of; reports take turns by account',
    limit: '50,000',
    share: ['account', 'tunnel'],
    yields: 'oldest',
    code: 'ptun_usage_dropped_total',
  },
  minutes: {
    holds: 'of those, the ones with figures of each minute, for charts',
    limit: '10,000',
    share: ['account', 'tunnel'],
    yields: 'oldest',
    code: 'ptun_usage_dropped_total',
  },
} as const satisfies Record<string, PoolRow>

/** What comes by time: tokens a minute. A /48 may begin four times what a /64 of it may. */
export const rates = {
  accept: {
    holds: 'new connections of one network',
    limit: 'source (100 a second, burst 1,000)',
    share: ['source'],
    yields: 'refused',
    code: 'visitor.rate',
  },
  visitorHandshakeRate: {
    holds: 'TLS handshakes of visitors; `handshakes.source` bounds one network besides',
    limit: 'handshakes.visitors (1,000 a second, burst 2,000)',
    share: ['source'],
    yields: 'refused',
    code: 'tls.budget',
  },
  agentHandshakeRate: {
    holds: 'TLS handshakes of agents; `handshakes.source` bounds one network besides',
    limit: 'handshakes.agents (1,000 a second, burst 5,000)',
    share: ['source'],
    yields: 'refused',
    code: 'tls.budget',
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
      'tickets of BIND to be checked; of each binding the last word waits, and 2,000 of one session at most',
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

/** What is held of bytes: `Budget` of shared/mux. */
export const budgets = {
  streams: {
    holds: 'bytes of streams that wait to be taken or acknowledged',
    limit: 'a quarter of the memory',
    share: ['account', 'agent', 'tunnel', 'source'],
    yields: 'most held',
    code: 'stream.memory',
  },
} as const satisfies Record<string, PoolRow>

export type PoolName = keyof typeof pools

/** The only way to make a pool of the relay. */
export function makePool<Member>(name: PoolName, limit: number): FairPool<Member> {
  return new FairPool<Member>({ limit, yields: pools[name].yields })
}

/** Keeps strangers from costing more than they should, by the limits of the configuration. */
import type { Socket } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { Log } from '@porttunneler/shared/base/log'
import { heapLimitBytes, heapUsedBytes, memoryBytes, residentReader } from '@porttunneler/shared/base/memory'
import { compileMatcher } from '@porttunneler/shared/base/networks'
import type { TrustedProxies } from '@porttunneler/shared/base/trusted-proxies'
import type { RelayConfig } from '../config.ts'
import type { Visitors } from '../visitors.ts'
import { HandshakeBudget } from './handshakes.ts'
import { makePool } from './pools.ts'
import { Shedding } from './shedding.ts'

export type Guards = {
  /** Connections that have not said what they want. */
  readonly silent: FairPool<Socket>
  readonly handshakes: { readonly agents: HandshakeBudget; readonly visitors: HandshakeBudget }
  readonly shedding: Shedding
}

/** Memory is short when this process uses this share of the machine's memory. */
const shedShare = 0.5
/**
 * Memory is also short at this share of V8's heap, whatever the machine has. V8 lets garbage grow to the middle between
 * live objects and its limit, so 85 % in use means that 70 % or more are live.
 */
const heapShare = 0.85

export function makeGuards(
  { config, clock, log }: { readonly config: RelayConfig; readonly clock: Clock; readonly log: Log },
  visitors: Pick<Visitors, 'active' | 'shed'>,
  proxies: TrustedProxies,
): Guards {
  const { limits } = config
  const { running, source, ...all } = limits.handshakes
  const isListed = compileMatcher(limits.exempt)
  const isExempt = (address: string) => isListed(address) || proxies.knows(address)
  const silent = makePool<Socket>('silent', limits.strangersMax)
  const handshakes = {
    agents: new HandshakeBudget(clock, { running, source, isExempt, all: all.agents }, 'agentHandshakes'),
    visitors: new HandshakeBudget(
      clock,
      { running, source, isExempt, all: all.visitors },
      'visitorHandshakes',
    ),
  }
  const shedding = new Shedding({
    memories: [
      {
        name: 'resident',
        limitBytes: limits.memoryMiB === undefined ? memoryBytes() * shedShare : limits.memoryMiB * 1024 ** 2,
        usedBytes: residentReader(),
      },
      { name: 'heap', limitBytes: heapLimitBytes() * heapShare, usedBytes: heapUsedBytes },
    ],
    log,
    visitors: () => visitors.active,
    shedStrangers: () => silent.shed(silent.size),
    shedIdle: (count) => visitors.shed(count),
  })
  return { silent, handshakes, shedding }
}

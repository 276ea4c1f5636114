/**
 * The part of a relay's event loop for each address and each network: /24 and address, with IPv6 /48 and /64. While
 * others are at work one address has at most a third of it, a network half. Agents and visitors are counted separately:
 * a single one of its kind has all of it. docs/relay.md
 */
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import { compileMatcher, type NetworkMatcher } from '@porttunneler/shared/base/networks'
import {
  JointWork,
  LoopWork,
  type Worker,
  WorkShare,
  type WorkTerms,
} from '@porttunneler/shared/mux/work-share'

/** The terms of a network, and of an address. A page with everything that belongs to it takes less. */
const networkTerms: WorkTerms = { freeMs: 4, restFactor: 1 }
const addressTerms: WorkTerms = { freeMs: 4, restFactor: 2 }
/** What the system and Node take to end one: measured 0.045 to 0.05. */
const endMs = 0.05
/** The work of exempt networks counts for nobody, but others are not alone beside it. */
const exemptKey = 'exempt'
const exemptPath: readonly string[] = [exemptKey, exemptKey]
const exemptTerms: WorkTerms = { freeMs: Number.POSITIVE_INFINITY, restFactor: 1 }

type Level = {
  readonly loop: LoopWork
  readonly terms: WorkTerms
  readonly shares: Map<string, WorkShare>
}

export class SourceShares {
  readonly #isExempt: NetworkMatcher
  readonly #levels: readonly Level[]

  constructor(clock: Clock, exempt: readonly string[]) {
    this.#isExempt = compileMatcher(exempt)
    this.#levels = [networkTerms, addressTerms].map((terms) => ({
      loop: new LoopWork({ clock }),
      terms,
      shares: new Map(),
    }))
  }

  /** Counts the connection `worker` for its address, and for `also`, until it is closed. */
  join(address: string, worker: Worker, also: readonly WorkShare[] = []): JointWork {
    const own = this.#sharesOf(address)
    return new JointWork(also.length === 0 ? own : [...also, ...own], worker)
  }

  /** Counts the end of a connection now. */
  ended(address: string): void {
    for (const share of this.#sharesOf(address)) {
      const nowMs = share.clock.monotonic()
      share.worked(nowMs - endMs, nowMs, true)
      share.retireIfIdle()
    }
  }

  #sharesOf(address: string): readonly WorkShare[] {
    const path = this.#isExempt(address) ? exemptPath : sourcePath(address)
    return this.#levels.map((level, depth) => shareAt(level, path[depth] ?? exemptKey))
  }
}

function shareAt({ loop, terms, shares }: Level, key: string): WorkShare {
  const known = shares.get(key)
  if (known) return known
  const forget = (share: WorkShare) => {
    share.close()
    if (shares.get(key) === share) shares.delete(key)
  }
  const share = new WorkShare(loop, key === exemptKey ? exemptTerms : terms, forget)
  shares.set(key, share)
  return share
}

/**
 * The part of a relay's event loop for each address and each network: /24 and address, with IPv6 /48 and /64. While
 * others are at work one address has at most a third of it, a network half. Agents and visitors are counted separately:
 * a single one of its kind has all of it. docs/relay.md
 */
import type { Socket } from 'node:net'
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
const exemptTerms: WorkTerms = { freeMs: Number.POSITIVE_INFINITY, restFactor: 1 }

type Level = {
  readonly loop: LoopWork
  readonly terms: WorkTerms
  readonly shares: Map<string, { readonly share: WorkShare; workers: number }>
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
    const holds = this.#holds(address)
    const own = holds.map(({ level, key }) => take(level, key))
    return new JointWork([...also, ...own], worker, () => {
      for (const { level, key } of holds) release(level, key)
    })
  }

  /** Counts the end of a connection, if it `counts` then; a closed one has no address any more. */
  countEnd(socket: Socket, address: string, counts: () => boolean): void {
    let isCounted = false
    const ends = () => {
      if (isCounted || !counts()) return
      isCounted = true
      this.ended(address)
    }
    // Resets of thousands are read before the first 'close'.
    for (const event of ['error', 'end', 'close']) socket.on(event, ends)
  }

  /** Counts the end of a connection now. */
  ended(address: string): void {
    for (const { level, key } of this.#holds(address)) {
      const share = take(level, key)
      const nowMs = share.clock.monotonic()
      share.worked(nowMs - endMs, nowMs, true)
      release(level, key)
    }
  }

  #holds(address: string): readonly { readonly level: Level; readonly key: string }[] {
    const path = this.#isExempt(address) ? [] : sourcePath(address)
    return this.#levels.map((level, depth) => ({ level, key: path[depth] ?? exemptKey }))
  }
}

function take({ loop, terms, shares }: Level, key: string): WorkShare {
  const own = key === exemptKey ? exemptTerms : terms
  const known = shares.get(key) ?? { share: new WorkShare(loop, own), workers: 0 }
  known.workers += 1
  shares.set(key, known)
  return known.share
}

function release({ shares }: Level, key: string): void {
  const known = shares.get(key)
  if (!known || --known.workers > 0) return
  known.share.whenPaid(() => {
    if (known.workers > 0 || shares.get(key) !== known) return
    known.share.close()
    shares.delete(key)
  })
}

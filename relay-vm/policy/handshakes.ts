/**
 * What TLS handshakes may cost: how many run at a time, how many begin in a second, from one network and from all. It
 * is asked once the ClientHello has been read and before any cryptography; visitors and agents have budgets of their
 * own, so that a flood of the former keeps none of the latter out.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { sourceNetwork } from './addresses.ts'
import { Buckets, type Rate } from './buckets.ts'
import { compileMatcher, type IpFilter } from './ip-filter.ts'

export type HandshakeLimits = {
  /** At a time: what waits for the other side costs memory. */
  readonly running: number
  /** From everywhere: what computing costs. */
  readonly all: Rate
  /** From one /24 or /64. */
  readonly source: Rate
  /** Not counted by `source`. */
  readonly exempt: readonly string[]
}

/** Networks remembered; 100 bytes each. */
const keysMax = 50_000

export class HandshakeBudget {
  readonly #limits: HandshakeLimits
  readonly #all: Buckets
  readonly #sources: Buckets
  readonly #isExempt: IpFilter
  #running = 0

  constructor(clock: Clock, limits: HandshakeLimits) {
    this.#limits = limits
    this.#all = new Buckets(clock, { keysMax: 1 })
    this.#sources = new Buckets(clock, { keysMax })
    this.#isExempt = compileMatcher(limits.exempt)
  }

  get running(): number {
    return this.#running
  }

  /** @returns to be called once when the handshake is over, however it ended; undefined: there may be none now */
  begin(address: string): (() => void) | undefined {
    const { running, source, all } = this.#limits
    if (this.#running >= running) return undefined
    // Whoever has had its share takes nothing from the others' budget.
    if (!this.#isExempt(address) && !this.#sources.take(sourceNetwork(address), source)) return undefined
    if (!this.#all.take('all', all)) return undefined
    this.#running += 1
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#running -= 1
    }
  }
}

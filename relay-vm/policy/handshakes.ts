/**
 * What TLS handshakes may cost: how many run at a time, how many begin in a second, from one network and from all. It
 * is asked once the ClientHello has been read and before any cryptography; visitors and agents have budgets of their
 * own, so that a flood of the former keeps none of the latter out.
 */

import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import { compileMatcher, type NetworkMatcher } from '@porttunneler/shared/base/networks'
import { FairRates, type Rate, takeOfSource } from './fair-rates.ts'
import { makePool } from './pools.ts'

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
  readonly #all: FairRates
  readonly #sources: FairRates
  readonly #isExempt: NetworkMatcher
  readonly #running: FairPool<object>

  constructor(clock: Clock, limits: HandshakeLimits, whose: 'agentHandshakes' | 'visitorHandshakes') {
    this.#limits = limits
    this.#all = new FairRates(clock, { keysMax: 1 })
    this.#sources = new FairRates(clock, { keysMax })
    this.#isExempt = compileMatcher(limits.exempt)
    this.#running = makePool(whose, limits.running)
  }

  get running(): number {
    return this.#running.size
  }

  /**
   * @param drop ends it when it has to make way for another source's
   * @returns to be called when the handshake is over, however it ended; undefined: there may be none now
   */
  begin(address: string, drop: () => void): (() => void) | undefined {
    const { source, all } = this.#limits
    const path = sourcePath(address)
    // Whoever has had its share takes nothing from the others' budget.
    if (!this.#isExempt(address) && !takeOfSource(this.#sources, address, source)) return undefined
    if (!this.#all.take('all', all, path)) return undefined
    const handshake = {}
    if (this.#running.add(handshake, path, drop) !== undefined) return undefined
    return () => this.#running.remove(handshake)
  }
}

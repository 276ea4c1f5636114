/**
 * The limits of TLS handshakes: how many run at a time, and how many begin in a second, from one network and from all.
 * They are checked once the ClientHello has been read and before any cryptography. Visitors and agents have budgets of
 * their own, so that a flood of visitors keeps no agent out.
 */

import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { FairPool } from '@porttunneler/shared/base/fair-pool'
import type { NetworkMatcher } from '@porttunneler/shared/base/networks'
import { FairRates, type Rate, takeOfSource } from './fair-rates.ts'
import { makePool } from './pools.ts'

export type HandshakeLimits = {
  /** At a time: a handshake that waits for the other side costs memory. */
  readonly running: number
  /** From everywhere: for the cost of computing. */
  readonly all: Rate
  /** From one /24 or /64. */
  readonly source: Rate
  /** Whether `source` does not count the address. */
  readonly isExempt: NetworkMatcher
}

/** Networks remembered; 100 bytes each. */
const keysMax = 50_000

export class HandshakeBudget {
  readonly #limits: HandshakeLimits
  readonly #all: FairRates
  readonly #sources: FairRates
  readonly #running: FairPool<object>

  constructor(clock: Clock, limits: HandshakeLimits, whose: 'agentHandshakes' | 'visitorHandshakes') {
    this.#limits = limits
    this.#all = new FairRates(clock, { keysMax: 1 })
    this.#sources = new FairRates(clock, { keysMax })
    this.#running = makePool(whose, limits.running, clock)
  }

  get running(): number {
    return this.#running.size
  }

  /**
   * @param drop ends it when it has to yield to another source's
   * @returns call it when the handshake is over, with success or without; undefined: no handshake may begin now
   */
  begin(address: string, drop: () => void): (() => void) | undefined {
    const { source, all, isExempt } = this.#limits
    const path = sourcePath(address)
    // A network that has used its share takes nothing from the others' budget.
    if (!isExempt(address) && !takeOfSource(this.#sources, address, source)) return undefined
    if (!this.#all.take('all', all, path)) return undefined
    const handshake = {}
    if (this.#running.add(handshake, path, drop) !== undefined) return undefined
    return () => this.#running.remove(handshake)
  }
}

/** The memory of one sending half: bytes that are kept until they are acknowledged, counted in the budget. */
import { limits } from '../protocol/limits.ts'
import type { Budget } from './budget.ts'

export class Kept {
  readonly #budget: Budget
  #bytes = 0
  /** Bytes lent when the budget was full: always the oldest of the kept ones. */
  #lentBytes = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Counted in the budget. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes memory for up to `wanted` bytes more. A stream with nothing on its way may always go on with a little, so
   * that none waits for ever behind the others.
   * @returns 0: another acknowledgement must free some first
   */
  take(wanted: number, isIdle: boolean): number {
    const floor = Math.min(wanted, limits.windowBytesTight)
    for (const bytes of wanted > floor ? [wanted, floor] : [wanted])
      if (this.#budget.take(bytes)) {
        this.#bytes += bytes
        return bytes
      }
    if (!isIdle) return 0
    const lent = this.#budget.lend(wanted)
    this.#lentBytes += lent
    return lent
  }

  release(bytes: number): void {
    const lent = Math.min(bytes, this.#lentBytes)
    if (lent > 0) {
      this.#lentBytes -= lent
      this.#budget.repay(lent)
    }
    const kept = Math.min(bytes - lent, this.#bytes)
    if (kept <= 0) return
    this.#bytes -= kept
    this.#budget.give(kept)
  }

  clear(): void {
    this.release(this.#lentBytes + this.#bytes)
  }
}

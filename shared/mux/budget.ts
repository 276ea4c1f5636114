/** Budgets of memory, and the first window of a new stream. */
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'

/**
 * Memory that may be promised to senders. A grant is taken from every level (stream's session, relay, VM) before it
 * is sent, so the sum of what others may have in flight towards us never exceeds what we said we can hold.
 */
export class Budget {
  readonly #limitBytes: number
  readonly #parent: Budget | undefined
  #used = 0

  constructor(limitBytes: number, parent?: Budget) {
    this.#limitBytes = limitBytes
    this.#parent = parent
  }

  get usedBytes(): number {
    return this.#used
  }

  /**
   * Takes all of `bytes` here and above, or nothing.
   * @param share 0..1: how much of each level may be in use afterwards. What is a comfort asks for less than all, so
   *   that what is a need still finds something.
   */
  take(bytes: number, share = 1): boolean {
    if (this.#used + bytes > this.#limitBytes * share) return false
    if (this.#parent && !this.#parent.take(bytes, share)) return false
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#parent?.give(bytes)
  }
}

/**
 * Takes the first window of a new stream: large while there is plenty, smaller afterwards.
 * @throws session.limit
 */
export function takeWindow(budget: Budget): number {
  const { windowBytesInitial, windowBytesTight, windowBytesLeast, comfortShare } = limits
  if (budget.take(windowBytesInitial, comfortShare)) return windowBytesInitial
  if (budget.take(windowBytesTight, comfortShare * 2)) return windowBytesTight
  if (budget.take(windowBytesLeast)) return windowBytesLeast
  throw fail('session.limit', 'The relay has no memory left for another visitor.')
}

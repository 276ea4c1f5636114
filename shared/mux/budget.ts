/**
 * Memory that streams really hold: bytes that have arrived and are not taken yet, and bytes that were sent and are not
 * acknowledged. Budgets form a tree: process, account (at a relay), session. What a window merely promises costs
 * nothing here, so an idle stream takes nothing from anybody. When too much is held, the largest holder yields.
 */
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'

export type BudgetOptions = {
  /**
   * Each child may hold as much as is still free, whatever the others hold: a single child half of everything, k of
   * them 1/(k+1) each, and the next finds as much (dynamic thresholds, Choudhury and Hahne 1998).
   */
  readonly isFair?: boolean
  /** Frees about this many of the bytes that this one holds. undefined: its children do, the largest first. */
  readonly relieve?: (bytes: number) => void
}

/** A child that was too large releases down to this share of its limit, so that it is not asked at each piece. */
const relievedShare = 0.9
/** With less than this free the largest yields, even if it only was there first. */
const scarceShare = 0.125
/** This share is lent in records of 16 KiB; beyond it a stream gets the minimum. */
const lentShare = 1 / 16
/** This much instead, where the budget is small. */
const lentBytesMin = 1024 * 1024

export class Budget {
  readonly #limitBytes: number
  readonly #parent: Budget | undefined
  readonly #isFair: boolean
  readonly #relieve: BudgetOptions['relieve']
  readonly #children = new Set<Budget>()
  #used = 0
  /** At the root: lent to streams with nothing on their way, beyond the limit. */
  #lent = 0
  #isRelieving = false

  constructor(limitBytes: number, parent?: Budget, { isFair = false, relieve }: BudgetOptions = {}) {
    this.#limitBytes = limitBytes
    this.#parent = parent
    this.#isFair = isFair
    this.#relieve = relieve
    if (parent) parent.#children.add(this)
  }

  get usedBytes(): number {
    return this.#used
  }

  /** How much of the present limit is held, at the fullest level: 0..1, and more for a moment. */
  get fill(): number {
    const own = this.#used === 0 ? 0 : this.#used / Math.max(this.#most, 1)
    const parent = this.#fairParent ? undefined : this.#parent
    return parent ? Math.max(own, parent.fill) : own
  }

  /** Takes all of `bytes` here and above, or nothing. */
  take(bytes: number): boolean {
    if (!this.hasRoom(bytes) && !(this.#relieveScarcity(bytes) && this.hasRoom(bytes))) return false
    this.#add(bytes)
    return true
  }

  /** Whether `bytes` more would leave each level filled to `share` at most. */
  hasRoom(bytes: number, share = 1): boolean {
    if (this.#used + bytes > this.#most * share) return false
    return this.#parent === undefined || this.#parent.hasRoom(bytes, this.#fairParent ? 1 : share)
  }

  /**
   * Counts `bytes` that are already here. When they are too much the largest holder yields, which may be the caller.
   */
  hold(bytes: number): void {
    this.#add(bytes)
    this.#enforce()
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#parent?.give(bytes)
  }

  /**
   * Lets a stream with nothing on its way send a little although nothing is left, or it would wait for ever behind the
   * others. When much is lent the amount is very small, so that many streams together cannot lend themselves the
   * memory.
   */
  lend(bytes: number): number {
    if (this.#parent) return this.#parent.lend(bytes)
    const most = limits.windowBytesTight
    const isMuch = this.#lent + most > Math.max(this.#limitBytes * lentShare, lentBytesMin)
    const lent = Math.min(bytes, isMuch ? limits.lentBytesLeast : most)
    this.#lent += lent
    return lent
  }

  repay(bytes: number): void {
    if (this.#parent) this.#parent.repay(bytes)
    else this.#lent -= bytes
  }

  get lentBytes(): number {
    return this.#parent ? this.#parent.lentBytes : this.#lent
  }

  /** It holds nothing any more. */
  close(): void {
    if (this.#parent) this.#parent.#children.delete(this)
  }

  /** The most that this one may hold now. */
  get #most(): number {
    const parent = this.#fairParent
    if (!parent) return this.#limitBytes
    const left = parent.#limitBytes - (parent.#used - this.#used)
    return Math.min(this.#limitBytes, Math.max(0, left / 2))
  }

  get #fairParent(): Budget | undefined {
    const parent = this.#parent
    return parent === undefined || !parent.#isFair ? undefined : parent
  }

  #add(bytes: number): void {
    this.#used += bytes
    if (this.#parent) this.#parent.#add(bytes)
  }

  #enforce(): void {
    if (this.#used > this.#most) {
      const parent = this.#fairParent
      const largest = parent ? parent.#largest() : undefined
      const victim = largest && largest.#used > this.#used ? largest : this
      victim.#shrink()
    }
    if (this.#parent) this.#parent.#enforce()
  }

  /** Called when something was refused. @returns whether a larger holder yielded for it */
  #relieveScarcity(bytes: number): boolean {
    const parent = this.#parent
    if (!parent) return false
    if (!parent.#isFair) return parent.#relieveScarcity(bytes)
    if (parent.#limitBytes - parent.#used > parent.#limitBytes * scarceShare) return false
    const largest = parent.#largest()
    if (!largest || largest === this || largest.#used <= this.#used + bytes) return false
    largest.#shrink()
    return true
  }

  #shrink(): void {
    this.#free(this.#used - this.#most * relievedShare)
  }

  #free(bytes: number): void {
    if (this.#isRelieving || bytes <= 0) return
    this.#isRelieving = true
    try {
      const until = this.#used - bytes
      if (this.#relieve) this.#relieve(bytes)
      else
        for (let before = Number.POSITIVE_INFINITY; this.#used > until && this.#used < before; ) {
          before = this.#used
          const largest = this.#largest()
          if (largest) largest.#free(this.#used - until)
        }
    } finally {
      this.#isRelieving = false
    }
  }

  #largest(): Budget | undefined {
    let largest: Budget | undefined
    for (const child of this.#children) if (child.#used > (largest?.usedBytes ?? 0)) largest = child
    return largest
  }
}

/**
 * The first window of a new stream: large while much is free, then smaller.
 * @throws session.limit
 * @throws session.limit
 */
export function firstWindow(budget: Budget): number {
  const { windowBytesInitial, windowBytesTight, windowBytesLeast, comfortShare, tightShare } = limits
  const { fill } = budget
  if (fill < comfortShare) return windowBytesInitial
  if (fill < tightShare) return windowBytesTight
  if (fill < 1) return windowBytesLeast
  throw fail('session.limit', 'The relay has no memory left for another visitor.')
}

/**
 * The result of every visit. Wrong bytes are never excused. A cut visit is, if a fault that may cut it affected its
 * agent at some moment of the visit.
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import { asVisit } from './left.ts'

export type Kind = 'transfer' | 'download' | 'upload' | 'web' | 'idle' | 'short' | 'slow'
export type Side = 'a' | 'b'

/** Bytes came that were never sent, or in another place. */
export class WrongBytes extends Error {}

type Excuse = {
  readonly sides: readonly Side[]
  readonly kinds: readonly Kind[]
  readonly ageMsMin: number
  fromMs: number
  toMs: number
}
type Count = { whole: number; cut: number; bytes: number }

/** A few failures show what is wrong; a thousand of them only fill the screen. */
const toldMax = 20

export class Ledger {
  readonly failures: string[] = []
  readonly counts = new Map<Kind, Count>()
  readonly #excuses: Excuse[] = []
  readonly #sinceMs = systemClock.monotonic()
  #failed = 0

  get failed(): number {
    return this.#failed
  }

  /** From now until the returned function is called, visits of these kinds may be cut when they are so old. */
  excuse(sides: readonly Side[], kinds: readonly Kind[], ageMsMin = 0): () => void {
    const excuse: Excuse = {
      sides,
      kinds,
      ageMsMin,
      fromMs: systemClock.monotonic(),
      toMs: Number.POSITIVE_INFINITY,
    }
    this.#excuses.push(excuse)
    return () => {
      excuse.toMs = systemClock.monotonic()
    }
  }

  /** Runs a visit that resolves with the bytes it moved; never rejects. @returns whether it was whole */
  async note(side: Side, kind: Kind, visit: () => Promise<number>): Promise<boolean> {
    const fromMs = systemClock.monotonic()
    try {
      const bytes = await asVisit(kind, visit)
      this.#count(kind, { whole: 1, cut: 0, bytes })
      return true
    } catch (error) {
      if (!(error instanceof WrongBytes) && this.#isExcused(side, kind, fromMs))
        this.#count(kind, { whole: 0, cut: 1, bytes: 0 })
      else this.fail(`${kind} of ${side}, after ${Math.round(systemClock.monotonic() - fromMs)} ms: ${error}`)
      return false
    }
  }

  fail(what: string): void {
    this.#failed += 1
    const seconds = ((systemClock.monotonic() - this.#sinceMs) / 1_000).toFixed(1)
    if (this.failures.length < toldMax) this.failures.push(`${seconds} s into the load: ${what}`)
  }

  #count(kind: Kind, more: Count): void {
    const { whole, cut, bytes } = this.counts.get(kind) ?? { whole: 0, cut: 0, bytes: 0 }
    this.counts.set(kind, { whole: whole + more.whole, cut: cut + more.cut, bytes: bytes + more.bytes })
  }

  #isExcused(side: Side, kind: Kind, fromMs: number): boolean {
    const ageMs = systemClock.monotonic() - fromMs
    return this.#excuses.some(
      ({ sides, kinds, ageMsMin, toMs }) =>
        sides.includes(side) && kinds.includes(kind) && ageMs >= ageMsMin && toMs >= fromMs,
    )
  }
}

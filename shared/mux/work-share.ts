/**
 * The part of the event loop that the small frames of one account have at a relay. A carrier is read a share in each
 * turn (reading.ts), but a byte of control frames, or of DATA with a byte or two, costs a hundred times as much as one
 * of long DATA, and no window bounds them. So their time is counted. While others are at work too, an account that had
 * more than a few ms of it is not read for twice as long. The account as a whole: an agent has up to 64 carriers, and
 * an account many agents.
 */
import type { Clock, Timer } from '../base/clock.ts'

type Worker = { setWaiting(isWaiting: boolean): void }

/** As long as some hundred small frames take: nobody notices it, and what is usual stays far below. */
const freeMs = 1
/** A third of the loop at most. */
const restFactor = 2
/** One read takes less; more is a pause of the whole process, which is nobody's work. */
const owedMsMax = 50
/** Others are at work when something of theirs was handled in this time. */
const besideMs = 1_000

/** All accounts of a relay. */
export class LoopWork {
  readonly clock: Clock
  #last: WorkShare | undefined
  #lastMs = 0
  #other: WorkShare | undefined
  #otherMs = 0

  constructor({ clock }: { readonly clock: Clock }) {
    this.clock = clock
  }

  /** Whether somebody other than `share` was at work lately; `share` is now. */
  isShared(share: WorkShare, nowMs: number): boolean {
    if (this.#last !== share) {
      this.#other = this.#last
      this.#otherMs = this.#lastMs
      this.#last = share
    }
    this.#lastMs = nowMs
    return this.#other !== undefined && nowMs - this.#otherMs < besideMs
  }
}

export class WorkShare {
  readonly #all: LoopWork
  readonly #workers = new Set<Worker>()
  #owedMs = 0
  #countedMs = 0
  #rest: Timer | undefined

  constructor(all: LoopWork) {
    this.#all = all
  }

  add(worker: Worker): void {
    this.#workers.add(worker)
    if (this.#rest) worker.setWaiting(true)
  }

  remove(worker: Worker): void {
    this.#workers.delete(worker)
  }

  /** Something was handled from `startMs` (monotonic) until now. `isSmall`: less than half of it was data. */
  worked(startMs: number, isSmall: boolean): void {
    const { clock } = this.#all
    const nowMs = isSmall ? clock.monotonic() : startMs
    const isShared = this.#all.isShared(this, nowMs)
    if (!isSmall) return
    const paidMs = (startMs - this.#countedMs) / restFactor
    this.#countedMs = nowMs
    this.#owedMs = Math.min(owedMsMax, Math.max(0, this.#owedMs - paidMs) + nowMs - startMs)
    if (!isShared || this.#owedMs < freeMs || this.#rest) return
    this.#rest = clock.after(this.#owedMs * restFactor, () => this.#setWaiting(false), { background: true })
    this.#setWaiting(true)
  }

  /** The last session of the account is over. */
  close(): void {
    this.#rest?.clear()
  }

  #setWaiting(isWaiting: boolean): void {
    if (!isWaiting) this.#rest = undefined
    for (const worker of this.#workers) worker.setWaiting(isWaiting)
  }
}

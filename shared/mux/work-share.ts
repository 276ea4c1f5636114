/**
 * The part of a relay's event loop for the small frames of one account, or of one network. A carrier is read a share in
 * each turn (reading.ts), but a byte of control frames, or of DATA with a byte or two, costs a hundred times as much as
 * a byte of long DATA, and no window bounds them. So their time is counted. While others are at work too, an account
 * that had more than a few ms of it is not read for twice as long. This applies to the account as a whole, because an
 * agent has up to 64 carriers, and an account many agents. The work for visitors is counted by their addresses, less
 * the time that as many bytes of plain data would take.
 */
import type { Clock, Timer } from '../base/clock.ts'

/** A connection. */
export type Worker = { setWaiting(isWaiting: boolean): void }
/** Counts the work of a connection, for all whom it counts for. */
export type JoinWork = (worker: Worker) => JointWork

export type WorkTerms = {
  /** The time of some hundred small frames: nobody notices it, and usual loads stay far below. */
  readonly freeMs: number
  /** 2: at most a third of the loop. */
  readonly restFactor: number
}
const usualTerms: WorkTerms = { freeMs: 1, restFactor: 2 }
/** Plain data takes at most this long, and a read of a socket takes the same time however many bytes it brings. */
const plainMsPerByte = 5e-6
const readMs = 0.003
/** One read takes less; a longer time is a pause of the whole process, which is nobody's work. */
const owedMsMax = 50
/** Others are at work when something of theirs was handled within this time. */
const besideMs = 1_000
/** A smaller debt is not remembered when the last connection is gone. */
const debtMsMin = 1
/**
 * A share that has rested lets so many connections work again in each turn: thousands of them may have ended meanwhile,
 * and the system tells of all that are read at once.
 */
export const wakenPerTurn = 64
/** Long enough for a turn of the loop in between. */
const turnMs = 1

/** All accounts of a relay, or all networks. */
export class LoopWork {
  readonly clock: Clock
  #last: WorkShare | undefined
  #lastMs = 0
  #other: WorkShare | undefined
  #otherMs = 0

  constructor({ clock }: { readonly clock: Clock }) {
    this.clock = clock
  }

  /** Whether an account other than `share` was at work lately; `share` is now. */
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
  readonly #terms: WorkTerms
  readonly #onPaid: ((share: WorkShare) => void) | undefined
  readonly #working = new Set<JointWork>()
  /** Those that wait, the longest first. */
  readonly #waiting = new Set<JointWork>()
  #owedMs = 0
  #countedMs = 0
  #rest: Timer | undefined
  #waking: Timer | undefined

  /** `onPaid` is called when its last connection is gone and what it took is paid. */
  constructor(all: LoopWork, terms = usualTerms, onPaid?: (share: WorkShare) => void) {
    this.#all = all
    this.#terms = terms
    this.#onPaid = onPaid
  }

  /** It has no connection. */
  get #isIdle(): boolean {
    return this.#working.size + this.#waiting.size === 0
  }

  get clock(): Clock {
    return this.#all.clock
  }

  add(worker: JointWork): void {
    if (this.#rest) this.#stop(worker)
    else this.#working.add(worker)
  }

  remove(worker: JointWork): void {
    if (!this.#working.delete(worker)) this.#waiting.delete(worker)
    this.retireIfIdle()
  }

  /** Call it after work that no connection of it did. */
  retireIfIdle(): void {
    const onPaid = this.#onPaid
    if (!onPaid || !this.#isIdle) return
    this.whenPaid(() => {
      if (this.#isIdle) onPaid(this)
    })
  }

  /** Something was handled from `startMs` until `nowMs` (monotonic), which counts if `isSmall`. */
  worked(startMs: number, nowMs: number, isSmall: boolean): void {
    const { clock } = this.#all
    const { freeMs, restFactor } = this.#terms
    const isShared = this.#all.isShared(this, nowMs)
    if (!isSmall) return
    const paidMs = Math.max(0, startMs - this.#countedMs) / restFactor
    this.#countedMs = nowMs
    this.#owedMs = Math.min(owedMsMax, Math.max(0, this.#owedMs - paidMs) + nowMs - startMs)
    if (!isShared || this.#owedMs < freeMs || this.#rest) return
    this.#waking?.clear()
    this.#waking = undefined
    this.#rest = clock.after(this.#owedMs * restFactor, this.#wake, { background: true })
    for (const worker of this.#working) this.#stop(worker)
    this.#working.clear()
  }

  /** Calls `done` when what it took is paid: a connection that ends and comes again must not begin anew. */
  whenPaid(done: () => void): void {
    const { clock } = this.#all
    const { restFactor } = this.#terms
    const owedMs = this.#owedMs - (clock.monotonic() - this.#countedMs) / restFactor
    if (owedMs < debtMsMin) done()
    else clock.after(owedMs * restFactor, done, { background: true })
  }

  /** Its last connection is gone. */
  close(): void {
    this.#rest?.clear()
    this.#waking?.clear()
  }

  #stop(worker: JointWork): void {
    this.#waiting.add(worker)
    worker.setWaiting(this, true)
  }

  readonly #wake = (): void => {
    this.#rest = this.#waking = undefined
    let left = wakenPerTurn
    for (const worker of this.#waiting) {
      if (left-- === 0) break
      this.#waiting.delete(worker)
      this.#working.add(worker)
      worker.setWaiting(this, false)
    }
    if (this.#waiting.size > 0) this.#waking = this.#all.clock.after(turnMs, this.#wake, { background: true })
  }
}

/** The work of one connection, which counts for each of `shares`: it waits while one of them rests. */
export class JointWork {
  readonly #shares: readonly WorkShare[]
  readonly #worker: Worker
  /** A bit for each share. */
  #waitsFor = 0

  constructor(shares: readonly WorkShare[], worker: Worker) {
    this.#shares = shares
    this.#worker = worker
    for (const share of shares) share.add(this)
  }

  /** Frames were handled from `startMs` until now. `isSmall`: less than half of it was data. */
  worked(startMs: number, isSmall: boolean): void {
    const [first] = this.#shares
    if (first) this.#count(startMs, isSmall ? first.clock.monotonic() : startMs, isSmall)
  }

  /** `worked`, for `bytes` that were read from a visitor's socket. */
  read(startMs: number, bytes: number): void {
    const [first] = this.#shares
    if (!first) return
    const nowMs = first.clock.monotonic()
    const extraMs = nowMs - startMs + readMs - bytes * plainMsPerByte
    this.#count(nowMs - Math.max(0, extraMs), nowMs, extraMs > 0)
  }

  setWaiting(share: WorkShare, isWaiting: boolean): void {
    const bit = 1 << this.#shares.indexOf(share)
    const before = this.#waitsFor
    this.#waitsFor = isWaiting ? before | bit : before & ~bit
    if ((before === 0) !== (this.#waitsFor === 0)) this.#worker.setWaiting(isWaiting)
  }

  /** The connection is gone. */
  close(): void {
    for (const share of this.#shares) share.remove(this)
  }

  #count(startMs: number, nowMs: number, isSmall: boolean): void {
    for (const share of this.#shares) share.worked(startMs, nowMs, isSmall)
  }
}

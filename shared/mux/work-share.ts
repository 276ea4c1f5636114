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
  readonly #workers = new Set<JointWork>()
  #owedMs = 0
  #countedMs = 0
  #rest: Timer | undefined

  constructor(all: LoopWork, terms = usualTerms) {
    this.#all = all
    this.#terms = terms
  }

  get clock(): Clock {
    return this.#all.clock
  }

  add(worker: JointWork): void {
    this.#workers.add(worker)
    if (this.#rest) worker.setWaiting(this, true)
  }

  remove(worker: JointWork): void {
    this.#workers.delete(worker)
  }

  /** Something was handled from `startMs` until `nowMs` (monotonic), which counts if `isSmall`. */
  worked(startMs: number, nowMs: number, isSmall: boolean): void {
    const { clock } = this.#all
    const { freeMs, restFactor } = this.#terms
    const isShared = this.#all.isShared(this, nowMs)
    if (!isSmall) return
    const paidMs = (startMs - this.#countedMs) / restFactor
    this.#countedMs = nowMs
    this.#owedMs = Math.min(owedMsMax, Math.max(0, this.#owedMs - paidMs) + nowMs - startMs)
    if (!isShared || this.#owedMs < freeMs || this.#rest) return
    this.#rest = clock.after(this.#owedMs * restFactor, () => this.#setWaiting(false), { background: true })
    this.#setWaiting(true)
  }

  /** Its last connection is gone. */
  close(): void {
    this.#rest?.clear()
  }

  #setWaiting(isWaiting: boolean): void {
    if (!isWaiting) this.#rest = undefined
    for (const worker of this.#workers) worker.setWaiting(this, isWaiting)
  }
}

/** The work of one connection, which counts for each of `shares`: it waits while one of them rests. */
export class JointWork {
  readonly #shares: readonly WorkShare[]
  readonly #worker: Worker
  readonly #onClosed: () => void
  /** A bit for each share. */
  #waitsFor = 0

  constructor(shares: readonly WorkShare[], worker: Worker, onClosed: () => void = () => {}) {
    this.#shares = shares
    this.#worker = worker
    this.#onClosed = onClosed
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
    this.#onClosed()
  }

  #count(startMs: number, nowMs: number, isSmall: boolean): void {
    for (const share of this.#shares) share.worked(startMs, nowMs, isSmall)
  }
}

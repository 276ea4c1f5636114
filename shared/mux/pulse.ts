/**
 * Signs of life of one connection: when something came last, what was asked, and how long answers take. The carrier
 * records what it gets and asks; `Liveness` judges by it (rules 23 to 25).
 */
export class Pulse {
  #heardAtMs: number
  #rttMs: number | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  #number = 0
  #isAwaited = false
  #isSuspect = false

  constructor(nowMs: number) {
    this.#heardAtMs = nowMs
  }

  /** Monotonic ms of the last byte that came in. */
  get heardAtMs(): number {
    return this.#heardAtMs
  }

  /** Smoothed round trip of PINGs; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /** Monotonic ms of the last PING sent. */
  get askedAtMs(): number {
    return this.#askedAtMs
  }

  /** The last PING sent has no answer yet. */
  get isAwaited(): boolean {
    return this.#isAwaited
  }

  /** Silent or slow to answer: new frames use other carriers if there are any (rule 23). */
  get isSuspect(): boolean {
    return this.#isSuspect
  }

  heard(nowMs: number): void {
    this.#heardAtMs = nowMs
  }

  /** A PING goes out. @returns its number */
  asked(nowMs: number): number {
    this.#number = (this.#number + 1) >>> 0
    this.#askedAtMs = nowMs
    this.#isAwaited = true
    return this.#number
  }

  /** A PONG was the last frame. @returns how long the last PING took, ms, if this answers it */
  answered(number: number): number | undefined {
    if (!this.#isAwaited || number !== this.#number) return undefined
    this.#isAwaited = false
    this.#isSuspect = false
    const sample = this.#heardAtMs - this.#askedAtMs
    this.#rttMs = this.#rttMs === undefined ? sample : this.#rttMs + (sample - this.#rttMs) / 8
    return sample
  }

  suspect(isSuspect: boolean): void {
    this.#isSuspect = isSuspect
  }

  /** This process stood still: the silence since `atMs` is its own fault. */
  forgive(atMs: number): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, atMs)
  }
}

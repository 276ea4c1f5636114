/**
 * Streams that carry much, and their way off the carrier that all others share (rules 18 to 21): under loss one long
 * transfer would make all others wait. Streams that would carry much count too: where packets are lost a carrier
 * carries little, and nobody would ever look like an elephant. Each direction decides for itself; offsets put the bytes
 * in order, so changing the carrier needs no agreement. Only the agent can dial, so the relay says how many carriers it
 * wants. When there are more elephants than allowed carriers, they share these.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

/** The part of a stream that is needed to move it to another carrier. */
export type Mover = {
  /** The carrier on which it sends. */
  readonly carrier: Carrier | undefined
  /** Its OPEN is not answered yet. */
  readonly isOpening: boolean
  /** Whether it may send on that carrier from now on (rule 19). */
  mayMove(to: Carrier): boolean
  moveTo(carrier: Carrier): void
}

/** What a stream has sent since some moment, and how long it had to wait for the carrier. Only `Elephants` reads it. */
export class Burst {
  readonly mover: Mover
  bytes = 0
  heldMs = 0
  sinceMs: number
  /** Since when it waits with much to send; 0: it does not. */
  waitsSinceMs = 0

  constructor(mover: Mover, nowMs: number) {
    this.mover = mover
    this.sinceMs = nowMs
  }

  restart(nowMs: number): void {
    this.bytes = 0
    this.heldMs = 0
    this.sinceMs = nowMs
  }
}

export type ElephantsOptions = {
  readonly clock: Clock
  /** Ready carriers. */
  readonly carriers: Iterable<Carrier>
  /** The carrier for a stream that is no elephant any more. */
  shared(): Carrier | undefined
  /** The number of dedicated carriers that this side wants has changed. */
  onWant(count: number): void
}

export class Elephants {
  readonly #options: ElephantsOptions
  /** Elephants of this side's sending direction, with each one's own carrier. */
  readonly #owned = new Map<Burst, Carrier | undefined>()
  /** How many of them each dedicated carrier has. */
  readonly #riders = new Map<Carrier, number>()
  /** Those with much data that waits to be sent. */
  readonly #waiting = new Set<Burst>()
  #look: Timer | undefined
  #lastSender: Burst | undefined
  /** When the last sender began, and when another stream had last sent. */
  #switchedAtMs = Number.NEGATIVE_INFINITY
  #companyAtMs = Number.NEGATIVE_INFINITY
  #tick: Timer | undefined
  #emptySinceMs = 0

  constructor(options: ElephantsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#owned.size
  }

  /** How many elephants have the carrier as their own. */
  countOn(carrier: Carrier): number {
    return this.#riders.get(carrier) ?? 0
  }

  /** This many bytes of the stream have to wait for its carrier. */
  waits(burst: Burst, waitingBytes: number): void {
    if (burst.waitsSinceMs > 0 || waitingBytes < limits.elephantWaitingBytes) return
    const { clock } = this.#options
    burst.waitsSinceMs = clock.monotonic()
    this.#waiting.add(burst)
    this.#look ??= clock.after(limits.elephantHeldMs, this.#lookAtWaiting, { background: true })
  }

  /** `bytes` of the stream were just sent, more may wait. Called often: it costs an addition and a few comparisons. */
  sent(burst: Burst, bytes: number, waitingBytes: number): void {
    if (burst !== this.#lastSender) {
      this.#switchedAtMs = this.#options.clock.monotonic()
      // The first stream has no other beside it yet.
      if (this.#lastSender) this.#companyAtMs = this.#switchedAtMs
      this.#lastSender = burst
    }
    if (burst.waitsSinceMs > 0) {
      this.#held(burst, this.#options.clock.monotonic())
      if (waitingBytes < limits.elephantWaitingBytes) {
        burst.waitsSinceMs = 0
        this.#waiting.delete(burst)
      }
    }
    burst.bytes += bytes
    if (burst.bytes >= limits.elephantBytes || burst.heldMs >= limits.elephantHeldMs) this.#weigh(burst)
  }

  /** A stream ended. */
  forget(burst: Burst): void {
    this.#waiting.delete(burst)
    if (this.#owned.has(burst)) {
      this.#disown(burst)
      this.#changed()
    }
    if (this.#lastSender === burst) this.#lastSender = undefined
  }

  /** A dedicated carrier came or went: every elephant gets the best one there is. */
  assign(): void {
    for (const burst of this.#owned.keys()) this.#place(burst)
  }

  close(): void {
    this.#tick?.clear()
    this.#look?.clear()
    this.#waiting.clear()
    this.#owned.clear()
    this.#riders.clear()
  }

  #weigh(burst: Burst): void {
    const now = this.#options.clock.monotonic()
    const { bytes, heldMs, sinceMs } = burst
    const tookMs = now - sinceMs
    burst.restart(now)
    if (this.#owned.has(burst)) return
    const isMuch = bytes >= limits.elephantBytes && tookMs <= limits.elephantMs
    const isHeld = heldMs >= limits.elephantHeldMs && heldMs >= tookMs / 4
    const isAnotherLast = this.#lastSender !== undefined && this.#lastSender !== burst
    const otherAtMs = isAnotherLast ? this.#switchedAtMs : this.#companyAtMs
    const isAlone = now - otherAtMs > limits.elephantCompanyMs
    if (!(isMuch || isHeld) || isAlone) return
    this.#owned.set(burst, undefined)
    this.#changed()
    this.#place(burst)
    this.#tick ??= this.#options.clock.every(1_000, this.#sweep, { background: true })
  }

  /** A stream that waits for its turn calls nothing, and its turn may be long in coming: so this asks them. */
  readonly #lookAtWaiting = (): void => {
    this.#look = undefined
    const now = this.#options.clock.monotonic()
    for (const burst of this.#waiting) {
      this.#held(burst, now)
      if (burst.heldMs >= limits.elephantHeldMs) this.#weigh(burst)
    }
    if (this.#waiting.size > 0)
      this.#look = this.#options.clock.after(limits.elephantHeldMs, this.#lookAtWaiting, { background: true })
  }

  #held(burst: Burst, now: number): void {
    burst.heldMs += now - burst.waitsSinceMs
    burst.waitsSinceMs = now
  }

  /**
   * Puts it on a carrier of its own, or on the one with the fewest others when there are more elephants than allowed
   * carriers.
   */
  #place(burst: Burst): void {
    const { mover } = burst
    // It sends on the carrier of its OPEN until that is answered (rule 3).
    if (mover.isOpening) return
    const own = this.#owned.get(burst)
    const best = this.#leastUsed()
    const mayShare = this.#owned.size > limits.dedicatedPerSession
    const isWell = own !== undefined && !own.isLost && !own.isRetiring
    if (isWell && (best === undefined || this.countOn(best) + 1 >= this.countOn(own))) {
      // It may have been elsewhere while this carrier was silent.
      if (mover.carrier !== own && !own.isSuspect && mover.mayMove(own)) mover.moveTo(own)
    } else if (best && (this.countOn(best) === 0 || mayShare) && mover.mayMove(best)) {
      this.#disown(burst)
      this.#owned.set(burst, best)
      this.#riders.set(best, this.countOn(best) + 1)
      mover.moveTo(best)
    }
  }

  #disown(burst: Burst): void {
    const own = this.#owned.get(burst)
    if (own) this.#leave(own)
    this.#owned.delete(burst)
  }

  #leave(carrier: Carrier): void {
    const left = this.countOn(carrier) - 1
    if (left > 0) this.#riders.set(carrier, left)
    else this.#riders.delete(carrier)
  }

  /** The dedicated carrier with the fewest elephants. */
  #leastUsed(): Carrier | undefined {
    let best: Carrier | undefined
    for (const carrier of this.#options.carriers) {
      if (carrier.kind !== 'dedicated' || carrier.isSuspect || carrier.isRetiring) continue
      if (best === undefined || this.countOn(carrier) < this.countOn(best)) best = carrier
    }
    return best
  }

  /** A stream that has sent nothing for a while goes back to the shared carrier. */
  readonly #sweep = (): void => {
    const now = this.#options.clock.monotonic()
    const before = this.#owned.size
    for (const burst of this.#owned.keys()) {
      if (burst.bytes > 0) burst.restart(now)
      if (now - burst.sinceMs < limits.elephantIdleMs) continue
      const { mover } = burst
      const shared = this.#options.shared()
      if (shared && !mover.mayMove(shared)) continue
      this.#disown(burst)
      if (shared) mover.moveTo(shared)
    }
    if (this.#owned.size !== before) this.#changed()
    this.assign()
    if (this.#owned.size > 0) this.#emptySinceMs = now
    else if (now - this.#emptySinceMs > limits.dedicatedIdleMs) {
      this.#tick?.clear()
      this.#tick = undefined
      this.#changed()
    }
  }

  /** The carriers stay wanted for a while after the last elephant: the next one often comes soon. */
  #changed(): void {
    const now = this.#options.clock.monotonic()
    if (this.#owned.size > 0) this.#emptySinceMs = now
    const isFresh = now - this.#emptySinceMs <= limits.dedicatedIdleMs
    this.#options.onWant(this.#owned.size > 0 ? this.#owned.size : isFresh && this.#tick ? 1 : 0)
  }
}

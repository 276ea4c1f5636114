/**
 * Streams that carry much, and their way off the carrier that all others share (rules 18 to 21): under loss one long
 * transfer would make everybody behind it wait. So do those that would carry much if the carrier let them: where
 * packets are lost it carries little, and nobody would ever look like an elephant. Each direction decides for itself;
 * offsets put the bytes in order, so changing the carrier needs no agreement. Only the agent can dial, so the relay
 * says how many carriers it wants. When there are more elephants than carriers may be, they share these.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'
import type { Stream } from './stream.ts'

/** What a stream has sent since some moment, and how long it had to wait for the carrier. Owned by `Elephants`. */
export class Burst {
  bytes = 0
  heldMs = 0
  sinceMs: number
  /** It waits with much to send, since then; 0: it does not. */
  waitsSinceMs = 0

  constructor(nowMs: number) {
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
  /** May the stream send on that carrier from now on? (rule 19) */
  mayMove(stream: Stream, to: Carrier): boolean
  /** Where a stream goes that is no elephant any more. */
  shared(): Carrier | undefined
  /** How many dedicated carriers this side wants has changed. */
  onWant(count: number): void
}

export class Elephants {
  readonly #options: ElephantsOptions
  /** Elephants of this side's sending direction, with the carrier each has to itself. */
  readonly #owned = new Map<Stream, Carrier | undefined>()
  /** Much of them waits to be sent, `burst.waitsSinceMs`. */
  readonly #waiting = new Set<Stream>()
  #look: Timer | undefined
  #lastSender: Stream | undefined
  /** When the last sender began, and when somebody other than it had last sent. */
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

  /** So many bytes of the stream have to wait for its carrier. */
  waits(stream: Stream, waitingBytes: number): void {
    if (stream.burst.waitsSinceMs > 0 || waitingBytes < limits.elephantWaitingBytes) return
    const { clock } = this.#options
    stream.burst.waitsSinceMs = clock.monotonic()
    this.#waiting.add(stream)
    this.#look ??= clock.after(limits.elephantHeldMs, this.#lookAtWaiting, { background: true })
  }

  /** `bytes` of the stream were just sent, more may wait. Hot: an addition and a comparison or two. */
  sent(stream: Stream, bytes: number, waitingBytes: number): void {
    if (stream !== this.#lastSender) {
      this.#switchedAtMs = this.#options.clock.monotonic()
      // The first one has nobody beside it yet.
      if (this.#lastSender) this.#companyAtMs = this.#switchedAtMs
      this.#lastSender = stream
    }
    const { burst } = stream
    if (burst.waitsSinceMs > 0) {
      this.#held(stream, this.#options.clock.monotonic())
      if (waitingBytes < limits.elephantWaitingBytes) {
        burst.waitsSinceMs = 0
        this.#waiting.delete(stream)
      }
    }
    burst.bytes += bytes
    if (burst.bytes >= limits.elephantBytes || burst.heldMs >= limits.elephantHeldMs) this.#weigh(stream)
  }

  /** A stream ended. */
  forget(stream: Stream): void {
    this.#waiting.delete(stream)
    if (this.#owned.has(stream)) {
      this.#disown(stream)
      this.#changed()
    }
    if (this.#lastSender === stream) this.#lastSender = undefined
  }

  /** A dedicated carrier came or went: everybody gets the best there is. */
  assign(): void {
    for (const stream of this.#owned.keys()) this.#place(stream)
  }

  close(): void {
    this.#tick?.clear()
    this.#look?.clear()
    this.#waiting.clear()
    this.#owned.clear()
  }

  #weigh(stream: Stream): void {
    const now = this.#options.clock.monotonic()
    const { bytes, heldMs, sinceMs } = stream.burst
    const tookMs = now - sinceMs
    stream.burst.restart(now)
    if (this.#owned.has(stream)) return
    const isMuch = bytes >= limits.elephantBytes && tookMs <= limits.elephantMs
    const isHeld = heldMs >= limits.elephantHeldMs && heldMs >= tookMs / 4
    const isAnotherLast = this.#lastSender !== undefined && this.#lastSender !== stream
    const otherAtMs = isAnotherLast ? this.#switchedAtMs : this.#companyAtMs
    const isAlone = now - otherAtMs > limits.elephantCompanyMs
    if (!(isMuch || isHeld) || isAlone) return
    this.#owned.set(stream, undefined)
    this.#changed()
    this.#place(stream)
    this.#tick ??= this.#options.clock.every(1_000, this.#sweep, { background: true })
  }

  /** Whoever waits for a turn says nothing, and a turn may be long in coming: they are asked. */
  readonly #lookAtWaiting = (): void => {
    this.#look = undefined
    const now = this.#options.clock.monotonic()
    for (const stream of this.#waiting) {
      this.#held(stream, now)
      if (stream.burst.heldMs >= limits.elephantHeldMs) this.#weigh(stream)
    }
    if (this.#waiting.size > 0)
      this.#look = this.#options.clock.after(limits.elephantHeldMs, this.#lookAtWaiting, { background: true })
  }

  #held({ burst }: Stream, now: number): void {
    burst.heldMs += now - burst.waitsSinceMs
    burst.waitsSinceMs = now
  }

  /** On a carrier of its own; with the fewest others where there are more elephants than carriers may be. */
  #place(stream: Stream): void {
    // It sends where its OPEN went until that is answered (rule 3).
    if (stream.state === 'opening') return
    const own = this.#owned.get(stream)
    const best = this.#leastUsed()
    const mayShare = this.#owned.size > limits.dedicatedPerSession
    const isWell = own !== undefined && !own.isLost && !own.isRetiring
    if (isWell && (best === undefined || best.elephants + 1 >= own.elephants)) {
      // It may have been elsewhere while this one was silent.
      if (stream.carrier !== own && !own.isSuspect && this.#options.mayMove(stream, own)) stream.carrier = own
    } else if (best && (best.elephants === 0 || mayShare) && this.#options.mayMove(stream, best)) {
      this.#disown(stream)
      this.#owned.set(stream, best)
      best.elephants += 1
      stream.carrier = best
    }
  }

  #disown(stream: Stream): void {
    const own = this.#owned.get(stream)
    if (own) own.elephants -= 1
    this.#owned.delete(stream)
  }

  /** The dedicated carrier with the fewest elephants. */
  #leastUsed(): Carrier | undefined {
    let best: Carrier | undefined
    for (const carrier of this.#options.carriers) {
      if (carrier.kind !== 'dedicated' || carrier.isSuspect || carrier.isRetiring) continue
      if (best === undefined || carrier.elephants < best.elephants) best = carrier
    }
    return best
  }

  /** Who has sent nothing for a while goes back to the shared carrier. */
  readonly #sweep = (): void => {
    const now = this.#options.clock.monotonic()
    const before = this.#owned.size
    for (const stream of this.#owned.keys()) {
      if (stream.burst.bytes > 0) stream.burst.restart(now)
      if (now - stream.burst.sinceMs < limits.elephantIdleMs) continue
      const shared = this.#options.shared()
      if (shared && !this.#options.mayMove(stream, shared)) continue
      this.#disown(stream)
      if (shared) stream.carrier = shared
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

  /** The carriers stay wanted for a while after the last elephant: the next one is often near. */
  #changed(): void {
    const now = this.#options.clock.monotonic()
    if (this.#owned.size > 0) this.#emptySinceMs = now
    const isFresh = now - this.#emptySinceMs <= limits.dedicatedIdleMs
    this.#options.onWant(this.#owned.size > 0 ? this.#owned.size : isFresh && this.#tick ? 1 : 0)
  }
}

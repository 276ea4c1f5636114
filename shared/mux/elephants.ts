/**
 * Streams that carry much, and their way off the carrier that all others share (rules 18 to 21): under loss one long
 * transfer would make everybody behind it wait. So do those that would carry much if the carrier let them: where
 * packets are lost it carries little, and nobody would ever look like an elephant. Each direction decides for itself;
 * offsets put the bytes in order, so changing the carrier needs no agreement. Only the agent can dial, so the relay
 * says how many carriers it wants.
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
  #lastSender: Stream | undefined
  #switchedAtMs = Number.NEGATIVE_INFINITY
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
    if (stream.burst.waitsSinceMs === 0 && waitingBytes >= limits.elephantWaitingBytes)
      stream.burst.waitsSinceMs = this.#options.clock.monotonic()
  }

  /** `bytes` of the stream were just sent, more may wait. Hot: an addition and a comparison or two. */
  sent(stream: Stream, bytes: number, waitingBytes: number): void {
    if (stream !== this.#lastSender) {
      this.#lastSender = stream
      this.#switchedAtMs = this.#options.clock.monotonic()
    }
    const { burst } = stream
    if (burst.waitsSinceMs > 0) {
      const now = this.#options.clock.monotonic()
      burst.heldMs += now - burst.waitsSinceMs
      burst.waitsSinceMs = waitingBytes >= limits.elephantWaitingBytes ? now : 0
    }
    burst.bytes += bytes
    if (burst.bytes >= limits.elephantBytes || burst.heldMs >= limits.elephantHeldMs) this.#weigh(stream)
  }

  /** A stream ended. */
  forget(stream: Stream): void {
    if (this.#owned.delete(stream)) this.#changed()
    if (this.#lastSender === stream) this.#lastSender = undefined
  }

  /** A dedicated carrier is ready: whoever waits for one gets it. */
  assign(): void {
    for (const [stream, own] of this.#owned) {
      if (own && !own.isLost && !own.isRetiring) continue
      const free = this.#freeCarrier()
      if (!free || !this.#options.mayMove(stream, free)) continue
      this.#owned.set(stream, free)
      stream.carrier = free
    }
  }

  close(): void {
    this.#tick?.clear()
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
    const isAlone = now - this.#switchedAtMs > limits.elephantCompanyMs
    if (!(isMuch || isHeld) || isAlone || this.#owned.size >= limits.carriersPerSession) return
    this.#owned.set(stream, undefined)
    this.#changed()
    this.assign()
    this.#tick ??= this.#options.clock.every(1_000, this.#sweep, { background: true })
  }

  #freeCarrier(): Carrier | undefined {
    const taken = new Set(this.#owned.values())
    for (const carrier of this.#options.carriers)
      if (carrier.kind === 'dedicated' && !carrier.isSuspect && !carrier.isRetiring && !taken.has(carrier))
        return carrier
    return undefined
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
      this.#owned.delete(stream)
      if (shared) stream.carrier = shared
    }
    if (this.#owned.size !== before) this.#changed()
    else this.assign()
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

/**
 * Who sends next on a carrier: deficit round robin with a list of its own for streams that just began to wait, so that
 * mice pass elephants and cannot starve them (the flow-queue scheme of RFC 8290 section 4.2). There a flow that emptied
 * waits behind all the others with its next byte; a round of a slow carrier takes seconds, so here it may come first
 * again until it has used its share of the round.
 */
import type { Carrier } from './carrier.ts'
import { Fifo } from './fifo.ts'
import type { Stream } from './stream.ts'

/** One TLS record: what a newcomer may have to wait for from each stream before it. */
const quantumBytes = 16 * 1024

export class Schedule {
  readonly #fresh = new Fifo<Stream>()
  readonly #old = new Fifo<Stream>()
  /** A round is over when everybody who was in `#old` at its beginning had a turn. */
  #round = 1
  #leftInRound = 0

  get isEmpty(): boolean {
    return this.#fresh.length === 0 && this.#old.length === 0
  }

  add(stream: Stream): void {
    if (stream.isQueued) return
    stream.isQueued = true
    if (stream.round !== this.#round || this.#old.length === 0) this.#grant(stream, quantumBytes)
    if (stream.deficitBytes > 0) this.#fresh.push(stream)
    else this.#old.push(stream)
  }

  /** Everybody who waits, and nobody waits any more: the carrier is lost. */
  drain(): Stream[] {
    const streams = [...this.#fresh.drain(), ...this.#old.drain()]
    this.#leftInRound = 0
    for (const stream of streams) stream.isQueued = false
    return streams
  }

  /** Serves until the carrier is full or nobody waits. */
  serve(carrier: Carrier): void {
    while (carrier.canSend) {
      const stream = this.#fresh.shift() ?? this.#nextOld()
      if (!stream) return
      if (!stream.canPump || stream.carrier !== carrier) {
        stream.isQueued = false
        // It chose another carrier while it waited here.
        if (stream.canPump) stream.host.offer(stream)
        continue
      }
      if (stream.deficitBytes <= 0) {
        this.#grant(stream, stream.deficitBytes + quantumBytes)
        this.#old.push(stream)
        continue
      }
      stream.deficitBytes -= stream.pump(carrier, stream.deficitBytes)
      if (stream.canPump) this.#old.push(stream)
      else stream.isQueued = false
    }
  }

  #nextOld(): Stream | undefined {
    if (this.#leftInRound === 0) {
      this.#round += 1
      this.#leftInRound = this.#old.length
    }
    this.#leftInRound = Math.max(0, this.#leftInRound - 1)
    return this.#old.shift()
  }

  #grant(stream: Stream, bytes: number): void {
    stream.round = this.#round
    stream.deficitBytes = bytes
  }
}

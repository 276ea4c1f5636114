/**
 * Who sends next on a carrier: deficit round robin with a list of its own for streams that just began to wait, so that
 * mice pass elephants and cannot starve them (the flow-queue scheme of RFC 8290 section 4.2).
 */
import type { Carrier } from './carrier.ts'
import type { Stream } from './stream.ts'

/** One TLS record: what a newcomer may have to wait for from each stream before it. */
const quantumBytes = 16 * 1024

export class Schedule {
  #fresh: Stream[] = []
  #old: Stream[] = []

  get isEmpty(): boolean {
    return this.#fresh.length === 0 && this.#old.length === 0
  }

  add(stream: Stream): void {
    if (stream.isQueued) return
    stream.isQueued = true
    stream.deficitBytes = quantumBytes
    this.#fresh.push(stream)
  }

  /** Everybody who waits, and nobody waits any more: the carrier is lost. */
  drain(): Stream[] {
    const streams = [...this.#fresh, ...this.#old]
    this.#fresh = []
    this.#old = []
    for (const stream of streams) stream.isQueued = false
    return streams
  }

  /** Serves until the carrier is full or nobody waits. */
  serve(carrier: Carrier): void {
    while (carrier.canSend) {
      const isFresh = this.#fresh.length > 0
      const stream = isFresh ? this.#fresh.shift() : this.#old.shift()
      if (!stream) return
      if (!stream.canPump || stream.carrier !== carrier) {
        stream.isQueued = false
        // It chose another carrier while it waited here.
        if (stream.canPump) stream.host.offer(stream)
        continue
      }
      if (stream.deficitBytes <= 0) {
        stream.deficitBytes += quantumBytes
        this.#old.push(stream)
        continue
      }
      stream.deficitBytes -= stream.pump(carrier, stream.deficitBytes)
      // A fresh stream that emptied waits once behind the old ones, or it would jump the queue with every byte.
      if (stream.canPump || (isFresh && this.#old.length > 0)) this.#old.push(stream)
      else stream.isQueued = false
    }
  }
}

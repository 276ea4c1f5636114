/**
 * Who sends next on a carrier: deficit round robin with a separate list for streams that just began to wait, so that
 * mice overtake elephants and cannot starve them (the flow-queue scheme of RFC 8290 section 4.2). There a flow that
 * became empty waits behind all the others with its next byte. A round of a slow carrier takes seconds, so here it may
 * come first again until it has used its share of the round.
 */
import type { Carrier } from './carrier.ts'
import { Fifo } from './fifo.ts'

/** One TLS record: what a newcomer may have to wait for from each stream before it. */
const quantumBytes = 16 * 1024

/** Something that sends in its turn. */
export type Sender = {
  readonly canPump: boolean
  /** The carrier on which it sends now. */
  readonly carrier: Carrier | undefined
  /** Sends up to `bytesMax` bytes. @returns how many went */
  pump(carrier: Carrier, bytesMax: number): number
  /** It waited on a carrier that is no longer its own: it waits elsewhere. */
  offer(): void
}

/** The place of one sender among the others, on one carrier at a time. Only `Schedule` writes it. */
export class Place {
  readonly sender: Sender
  isQueued = false
  /** The rest of its share, granted in that round. */
  deficitBytes = 0
  round = 0

  constructor(sender: Sender) {
    this.sender = sender
  }
}

export class Schedule {
  readonly #fresh = new Fifo<Place>()
  readonly #old = new Fifo<Place>()
  /** A round is over when all that were in `#old` at its beginning had a turn. */
  #round = 1
  #leftInRound = 0

  get isEmpty(): boolean {
    return this.#fresh.length === 0 && this.#old.length === 0
  }

  add(place: Place): void {
    if (place.isQueued) return
    place.isQueued = true
    if (place.round !== this.#round || this.#old.length === 0) this.#grant(place, quantumBytes)
    if (place.deficitBytes > 0) this.#fresh.push(place)
    else this.#old.push(place)
  }

  /** Returns all that wait, and empties the lists: the carrier is lost. */
  drain(): Place[] {
    const places = [...this.#fresh.drain(), ...this.#old.drain()]
    this.#leftInRound = 0
    for (const place of places) place.isQueued = false
    return places
  }

  /** Serves until the carrier is full or nobody waits. */
  serve(carrier: Carrier): void {
    while (carrier.canSend) {
      const place = this.#fresh.shift() ?? this.#nextOld()
      if (!place) return
      const { sender } = place
      if (!sender.canPump || sender.carrier !== carrier) {
        place.isQueued = false
        // It chose another carrier while it waited here.
        if (sender.canPump) sender.offer()
        continue
      }
      if (place.deficitBytes <= 0) {
        this.#grant(place, place.deficitBytes + quantumBytes)
        this.#old.push(place)
        continue
      }
      place.deficitBytes -= sender.pump(carrier, place.deficitBytes)
      if (sender.canPump) this.#old.push(place)
      else place.isQueued = false
    }
  }

  #nextOld(): Place | undefined {
    if (this.#leftInRound === 0) {
      this.#round += 1
      this.#leftInRound = this.#old.length
    }
    this.#leftInRound = Math.max(0, this.#leftInRound - 1)
    return this.#old.shift()
  }

  #grant(place: Place, bytes: number): void {
    place.round = this.#round
    place.deficitBytes = bytes
  }
}

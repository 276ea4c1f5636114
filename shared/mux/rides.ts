/**
 * How many unacknowledged pieces of a stream are on which carrier. Each SYNC asks whether a loss concerns the stream,
 * and each tick whether a carrier may go: neither may check every piece.
 */
import type { Slabs } from './slab.ts'

/** Where streams send bytes: the part of a carrier that the sending half of a stream needs. */
export type Outlet = {
  readonly number: number
  /** A stream has something unacknowledged there now, or nothing any more. */
  boarded(): void
  left(): void
  readonly frames: {
    /** Sent bytes are in its current slab. */
    readonly slabs: Slabs
    /** @returns where the copy of `bytes` is; -1: nowhere */
    sendData(stream: number, offset: number, bytes: Buffer): number
    sendFin(stream: number, offset: number): void
  }
}

/** One carrier and how many unacknowledged pieces of the stream are on it. */
export type Ride = { readonly carrier: Outlet; pieces: number }

export class Rides {
  /** Nearly always one. Empty ones stay until there is another, so that a quiet stream makes no garbage. */
  #rides: Ride[] = []

  /** One more piece goes on `carrier`. */
  board(carrier: Outlet): Ride {
    for (const ride of this.#rides) if (ride.carrier === carrier) return boarded(ride)
    const ride = { carrier, pieces: 0 }
    const busy = this.#rides.filter(({ pieces }) => pieces > 0)
    // An array that grows has room for sixteen more, in each stream.
    this.#rides = busy.length === 0 ? [ride] : [...busy, ride]
    return boarded(ride)
  }

  /** A piece is acknowledged, or goes elsewhere. */
  leave(ride: Ride | undefined): void {
    if (!ride) return
    ride.pieces -= 1
    if (ride.pieces === 0) ride.carrier.left()
  }

  /** Lost carriers (by `isLost`) with pieces. Empty: there is nothing to repeat. */
  lost(isLost: (carrier: number) => boolean): readonly Ride[] {
    return this.#rides.filter(({ carrier, pieces }) => pieces > 0 && isLost(carrier.number))
  }

  /** How many live carriers (by `isLive`) hold pieces, `withCarrier` included. */
  live(withCarrier: number, isLive: (carrier: number) => boolean): number {
    let count = 1
    for (const { carrier, pieces } of this.#rides)
      if (pieces > 0 && carrier.number !== withCarrier && isLive(carrier.number)) count += 1
    return count
  }

  clear(): void {
    for (const { carrier, pieces } of this.#rides) if (pieces > 0) carrier.left()
    this.#rides = []
  }
}

function boarded(ride: Ride): Ride {
  if (ride.pieces === 0) ride.carrier.boarded()
  ride.pieces += 1
  return ride
}

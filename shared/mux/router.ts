/**
 * On which carrier each stream of a session sends, and when: its own choice while that carrier is well (rules 3, 18,
 * 19), a carrier of its own for an elephant, and its turn among the others. A stream has a `Route`, a carrier has a
 * `Lane`.
 */
import type { Clock } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'
import type { CarrierSet } from './carrier-set.ts'
import { Burst, Elephants, type Mover } from './elephants.ts'
import { Place, Schedule, type Sender } from './schedule.ts'

/** The part of a stream that its route needs. */
export type Traveller = {
  /** Its OPEN is not answered yet: it stays on the carrier of the OPEN. */
  readonly isOpening: boolean
  /** Whether something may go now. */
  readonly canPump: boolean
  /** Whether bytes were used that the other side was not told about. */
  readonly hasUncredited: boolean
  pump(carrier: Carrier, bytesMax: number): number
  sendCredit(): void
  /** How many live carriers (by `isLive`) hold unacknowledged pieces of it, `withCarrier` included. */
  liveCarriers(withCarrier: number, isLive: (carrier: number) => boolean): number
}

/** Who waits on a carrier: to send, and to send CREDIT when the socket has room. */
type Lane = { readonly carrier: Carrier; readonly schedule: Schedule; readonly credits: Set<Route> }

export type RouterOptions = {
  readonly clock: Clock
  readonly carriers: CarrierSet
  /** This side wants another number of dedicated carriers. */
  onWant(count: number): void
}

export class Router {
  readonly carriers: CarrierSet
  readonly elephants: Elephants
  readonly #clock: Clock
  readonly #lanes = new Map<Carrier, Lane>()

  constructor({ clock, carriers, onWant }: RouterOptions) {
    this.carriers = carriers
    this.#clock = clock
    this.elephants = new Elephants({ clock, carriers, shared: () => carriers.pick(), onWant })
  }

  get nowMs(): number {
    return this.#clock.monotonic()
  }

  /** Whether somebody waits to send there. */
  isAwaited(carrier: Carrier): boolean {
    return this.#lanes.get(carrier)?.schedule.isEmpty === false
  }

  /** The carrier has room: sends the credit that was held back. */
  sendCredits(carrier: Carrier): void {
    const credits = this.#lanes.get(carrier)?.credits
    if (!credits) return
    for (const route of credits) {
      credits.delete(route)
      route.sayCredit()
      if (carrier.isFull) break
    }
  }

  /** The carrier has room: sends bytes. */
  serve(carrier: Carrier): void {
    const schedule = this.#lanes.get(carrier)?.schedule
    if (schedule && !schedule.isEmpty) schedule.serve(carrier)
  }

  /** The carrier is lost. @returns those that waited to send there, to be offered elsewhere */
  drop(carrier: Carrier): readonly Sender[] {
    const lane = this.#lanes.get(carrier)
    this.#lanes.delete(carrier)
    lane?.credits.clear()
    return lane?.schedule.drain().map(({ sender }) => sender) ?? []
  }

  close(): void {
    this.elephants.close()
    this.#lanes.clear()
  }

  /** For routes. */
  laneOf(carrier: Carrier): Lane {
    let lane = this.#lanes.get(carrier)
    if (!lane) {
      lane = { carrier, schedule: new Schedule(), credits: new Set() }
      this.#lanes.set(carrier, lane)
    }
    return lane
  }
}

export class Route implements Sender, Mover {
  readonly #router: Router
  readonly #traveller: Traveller
  readonly #place = new Place(this)
  readonly #burst: Burst
  #lane: Lane

  constructor(router: Router, { traveller, carrier }: { traveller: Traveller; carrier: Carrier }) {
    this.#router = router
    this.#traveller = traveller
    this.#burst = new Burst(this, router.nowMs)
    this.#lane = router.laneOf(carrier)
  }

  get nowMs(): number {
    return this.#router.nowMs
  }

  get rttMs(): number | undefined {
    return this.#router.carriers.pick()?.pulse.rttMs
  }

  /** Where new bytes go: a private choice of this side. */
  get carrier(): Carrier {
    return this.#lane.carrier
  }

  moveTo(carrier: Carrier): void {
    if (carrier !== this.#lane.carrier) this.#lane = this.#router.laneOf(carrier)
  }

  get isOpening(): boolean {
    return this.#traveller.isOpening
  }

  get canPump(): boolean {
    return this.#traveller.canPump
  }

  pump(carrier: Carrier, bytesMax: number): number {
    return this.#traveller.pump(carrier, bytesMax)
  }

  /** The stream may have something to send: at once if nobody waits, otherwise in its turn. */
  offer(): void {
    if (this.#place.isQueued || !this.canPump) return
    const carrier = this.settle()
    if (!carrier) return
    const { schedule } = this.#lane
    if (schedule.isEmpty && carrier.canSend) {
      // After a loss this may be megabytes, and the others must get their turn.
      this.pump(carrier, limits.batchBytes)
      if (!this.canPump) return
    }
    schedule.add(this.#place)
  }

  /**
   * The carrier where the stream sends: its own choice while that is well; while opening, the carrier of its OPEN (rule
   * 3). undefined while there is none: a report will repeat what matters.
   */
  settle(): Carrier | undefined {
    const own = this.carrier
    if (!own.isLost) {
      if ((!own.isSuspect && !own.isRetiring) || this.isOpening) return own
    } else if (this.isOpening) return undefined
    const other = this.#router.carriers.pick()
    if (other && other !== own && this.mayMove(other)) this.moveTo(other)
    return this.carrier.isLost ? undefined : this.carrier
  }

  /** Unacknowledged pieces may be on at most two live carriers (rule 19). */
  mayMove(to: Carrier): boolean {
    const { carriers } = this.#router
    return this.#traveller.liveCarriers(to.number, (number) => !carriers.isLost(number)) <= 2
  }

  /**
   * CREDIT waits while the carrier is full: behind bytes that the socket has not accepted it would not arrive sooner.
   */
  holdsCredit(carrier: Carrier): boolean {
    if (!carrier.isFull) return false
    this.#router.laneOf(carrier).credits.add(this)
    return true
  }

  sayCredit(): void {
    if (this.#traveller.hasUncredited) this.#traveller.sendCredit()
  }

  /** `bytes` went, and this many wait. */
  sent(bytes: number, waitingBytes: number): void {
    this.#router.elephants.sent(this.#burst, bytes, waitingBytes)
  }

  /** This many bytes wait behind others. */
  waits(waitingBytes: number): void {
    if (this.#place.isQueued) this.#router.elephants.waits(this.#burst, waitingBytes)
  }

  /** The stream has ended. */
  leave(): void {
    this.#router.elephants.forget(this.#burst)
  }
}

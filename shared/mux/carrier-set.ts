/**
 * The carriers of a session and what is known about their losses (rules 10 and 11). A side that reads a frame sent
 * after the loss of k has itself given k up, because every loss is announced on every other carrier before anything
 * else is sent there.
 */
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

/** Numbers this far below the highest one are lost or were never dialled, because few dials run at once. */
const rememberedNumbers = 1_000

export class CarrierSet {
  readonly #ready = new Map<number, Carrier>()
  /** For each of them, the losses of others that were announced on it (rule 11). */
  readonly #announced = new Map<Carrier, Set<number>>()
  /** Given up here or reported by the other side: they must never come (back). */
  readonly #lost = new Set<number>()
  /** Given up here, and not confirmed by the other side yet. */
  readonly #unconfirmed = new Set<number>()
  #highest = 0

  get size(): number {
    return this.#ready.size
  }

  get(number: number): Carrier | undefined {
    return this.#ready.get(number)
  }

  [Symbol.iterator](): IterableIterator<Carrier> {
    return this.#ready.values()
  }

  /** A carrier that is not in use counts as lost. */
  readonly isLost = (number: number): boolean => !this.#ready.has(number)

  /** Whether it was ready here once, or is so old that nobody remembers. */
  knows(number: number): boolean {
    return this.#ready.has(number) || this.#lost.has(number) || this.#isForgotten(number)
  }

  /**
   * Whether there is room for one more, once those of `lost` are gone, and the number was neither used nor given up
   * before.
   */
  hasRoomFor(number: number, lost: readonly number[]): boolean {
    if (this.knows(number)) return false
    if (this.#ready.size < limits.carriersPerSession) return true
    const going = new Set(lost.filter((one) => this.#ready.has(one)))
    return this.#ready.size - going.size < limits.carriersPerSession
  }

  get unconfirmed(): number[] {
    return [...this.#unconfirmed]
  }

  /** Adds it and sends nothing. `told`: the losses that this side's HELLO or WELCOME on the carrier named. */
  add(carrier: Carrier, told: readonly number[]): void {
    this.#highest = Math.max(this.#highest, carrier.number)
    this.#announced.set(carrier, new Set(told))
    this.#ready.set(carrier.number, carrier)
  }

  /**
   * Gives a number up. `isOurs`: this side noticed, so the other side is told on every carrier there is. A number that
   * was never ready here counts too, because the other side may have sent on it.
   * @returns false when that was known already: then no report is owed
   */
  remove(number: number, isOurs: boolean): boolean {
    const carrier = this.#ready.get(number)
    if (!carrier && this.knows(number)) return false
    if (carrier) this.#forget(carrier)
    this.#lost.add(number)
    if (this.#lost.size > rememberedNumbers * 2) this.#prune()
    if (!isOurs) return true
    this.#unconfirmed.add(number)
    for (const carrier of this.#ready.values()) this.announce(carrier, number)
    return true
  }

  /** Announces all losses on a new carrier. */
  announceAll(carrier: Carrier): void {
    for (const number of this.#unconfirmed) this.announce(carrier, number)
  }

  /** Announces a loss, once on each carrier. */
  announce(carrier: Carrier, number: number): void {
    const announced = this.#announced.get(carrier)
    if (announced?.has(number)) return
    announced?.add(number)
    carrier.frames.sendLost(number, false)
  }

  confirm(number: number): void {
    if (!this.#unconfirmed.delete(number)) return
    for (const announced of this.#announced.values()) announced.delete(number)
  }

  /** The carrier to use when there is no other reason: healthy before suspect, shared before dedicated. */
  pick(): Carrier | undefined {
    let best: Carrier | undefined
    for (const carrier of this.#ready.values()) if (!best || isBetter(carrier, best)) best = carrier
    return best
  }

  #forget(carrier: Carrier): void {
    this.#ready.delete(carrier.number)
    this.#announced.delete(carrier)
  }

  #prune(): void {
    for (const numbers of [this.#lost, this.#unconfirmed])
      for (const number of numbers) if (this.#isForgotten(number)) numbers.delete(number)
  }

  #isForgotten(number: number): boolean {
    return number <= this.#highest - rememberedNumbers
  }
}

function isBetter(a: Carrier, b: Carrier): boolean {
  if (a.isRetiring !== b.isRetiring) return b.isRetiring
  if (a.isSuspect !== b.isSuspect) return b.isSuspect
  return a.kind === 'shared' && b.kind === 'dedicated'
}

/**
 * Memory of bodies that nghttp2 has taken and nobody reads, of all HTTP/2 connections of a relay. It is one of those
 * who share the memory for streams: it may hold half of what is free, and the body that has waited longest yields when
 * another holder needs the memory.
 */
import { Budget } from '@porttunneler/shared/mux/budget'

type Held = { readonly bytes: number; readonly drop: () => void }

export class HeldBodies {
  readonly #budget: Budget
  /** The one that has waited longest first. */
  readonly #held = new Map<object, Held>()

  constructor(all: Budget) {
    this.#budget = new Budget(Number.POSITIVE_INFINITY, all, { relieve: (bytes) => this.#relieve(bytes) })
  }

  /** How much of what it may hold is held: 0..1. */
  get fill(): number {
    return this.#budget.fill
  }

  get usedBytes(): number {
    return this.#budget.usedBytes
  }

  /** @param drop ends the body when it has to yield. @returns false: there is no memory for it */
  hold(body: object, held: Held): boolean {
    if (!this.#budget.take(held.bytes)) return false
    this.#held.set(body, held)
    return true
  }

  release(body: object): void {
    const held = this.#held.get(body)
    if (!held) return
    this.#held.delete(body)
    this.#budget.give(held.bytes)
  }

  #relieve(bytes: number): void {
    let left = bytes
    for (const [body, held] of [...this.#held]) {
      if (left <= 0) return
      left -= held.bytes
      this.release(body)
      held.drop()
    }
  }
}

/**
 * The credit that a visitor's stream gets while a gate stands before the upstream. Bytes that wait for the upstream or
 * are held are not credited; heads may grow or shrink on their way.
 */
export class Credit {
  /** Gives the stream its credit. */
  readonly #give: (bytes: number) => void
  /** Bytes from the stream, bytes passed on, how many of those the upstream took; and what was credited. */
  #received = 0
  #delivered = 0
  #taken = 0
  #credited = 0

  constructor(give: (bytes: number) => void) {
    this.#give = give
  }

  received(bytes: number): void {
    this.#received += bytes
  }

  delivered(bytes: number): void {
    this.#delivered += bytes
  }

  taken(bytes: number): void {
    this.#taken += bytes
  }

  /** The upstream has yet to take what it was sent. */
  get isAwaited(): boolean {
    return this.#delivered > this.#taken
  }

  /** The upstream gets no more, and owes nothing. */
  forgive(): void {
    this.#taken = this.#delivered
  }

  /** @param held bytes that the gate keeps */
  settle(held: number): void {
    const due = this.#received - held - Math.max(0, this.#delivered - this.#taken)
    if (due <= this.#credited) return
    const bytes = due - this.#credited
    this.#credited = due
    this.#give(bytes)
  }
}

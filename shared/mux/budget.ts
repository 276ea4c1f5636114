/**
 * Memory that may be promised to senders. A grant is taken from every level (stream's session, relay, VM) before it
 * is sent, so the sum of what others may have in flight towards us never exceeds what we said we can hold.
 */
export class Budget {
  readonly #limitBytes: number
  readonly #parent: Budget | undefined
  #used = 0

  constructor(limitBytes: number, parent?: Budget) {
    this.#limitBytes = limitBytes
    this.#parent = parent
  }

  get usedBytes(): number {
    return this.#used
  }

  /** Takes all of `bytes` here and above, or nothing. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limitBytes) return false
    if (this.#parent && !this.#parent.take(bytes)) return false
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#parent?.give(bytes)
  }
}

/**
 * A value of the database that every process reads once in 30 s. While the database is away, what was read last stays
 * in force, and nobody who asks waits for it.
 */
import type { Clock } from '../base/clock.ts'

const knownMs = 30_000
/** After a failure. */
const retryMs = 5_000

export class ReadLately<T> {
  readonly #clock: Clock
  readonly #read: () => Promise<T>
  readonly #onFailure: (error: unknown) => void
  #known: T | undefined
  #until = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  /** @param read gets the value anew; a rejection goes to `onFailure` */
  constructor(clock: Clock, read: () => Promise<T>, onFailure: (error: unknown) => void) {
    this.#clock = clock
    this.#read = read
    this.#onFailure = onFailure
  }

  /** As it was at most 30 s ago; undefined when it could never be read. It never rejects. */
  async get(): Promise<T | undefined> {
    if (this.#clock.monotonic() >= this.#until) {
      this.#reading ??= this.#readAnew().finally(() => {
        this.#reading = undefined
      })
      await this.#reading
    }
    return this.#known
  }

  /** It was changed here, so the next look reads it anew. */
  forget(): void {
    this.#until = Number.NEGATIVE_INFINITY
  }

  async #readAnew(): Promise<void> {
    try {
      this.#known = await this.#read()
      this.#until = this.#clock.monotonic() + knownMs
    } catch (error) {
      this.#until = this.#clock.monotonic() + retryMs
      this.#onFailure(error)
    }
  }
}

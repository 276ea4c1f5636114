/**
 * Memory before it runs out. Above its limit a relay admits nobody new and closes, second by second, strangers first
 * and then the newest connections on which nothing moves, until it is a tenth below. What was there when it began
 * loses at most half: memory that closing does not bring back is no reason to close the rest. Two memories count, each
 * with its limit: what the process has of the machine, and the objects of V8, which ends the process at its own.
 */
import type { Log } from '@porttunneler/shared/base/log'

export type Memory = {
  /** For the log. */
  readonly name: string
  readonly limitBytes: number
  /** In use now. Never throws: a guard that ends the process guards nothing. */
  usedBytes(): number
}

export type SheddingOptions = {
  readonly memories: readonly Memory[]
  readonly log: Log
  /** Connections that may be closed. */
  visitors(): number
  /** Ends all that have not said what they want. */
  shedStrangers(): void
  /** Ends up to `count` on which nothing has moved since the last call, newest first. @returns how many */
  shedIdle(count: number): number
}

/** It is over when so much of the limit is in use. */
const calmShare = 0.9
/** Each time: few enough that a short peak costs little, many enough that 50 s empty a relay of idle ones. */
const stepShare = 0.02
const stepMin = 8
const lossShareMax = 0.5
/** So many that come take less than a megabyte. */
const glanceEvery = 64

export class Shedding {
  readonly #options: SheddingOptions
  #left: number | undefined
  #asked = 0

  constructor(options: SheddingOptions) {
    this.#options = options
  }

  /** Nobody new is admitted. Asked for each that comes: thousands may come between two looks. */
  get isShort(): boolean {
    if (this.#left === undefined && ++this.#asked % glanceEvery === 0) this.#begin()
    return this.#left !== undefined
  }

  /** To be called once a second. */
  look(): void {
    const { log, visitors, shedStrangers, shedIdle } = this.#options
    if (this.#left === undefined) this.#begin()
    else {
      const { name: memory, share, MiB } = this.#shortest()
      if (share < calmShare) {
        this.#left = undefined
        log.warn({ memory, MiB, visitors: visitors() }, 'Memory is no longer short')
      }
    }
    if (this.#left === undefined) return
    shedStrangers()
    const step = Math.max(stepMin, Math.ceil(visitors() * stepShare))
    this.#left -= shedIdle(Math.min(step, this.#left))
  }

  #begin(): void {
    const { log, visitors } = this.#options
    const { name: memory, share, MiB } = this.#shortest()
    if (share < 1) return
    this.#left = Math.ceil(visitors() * lossShareMax)
    log.warn({ memory, MiB, visitors: visitors() }, 'Memory is short: nobody new is admitted')
  }

  /** The memory of which the largest share of its limit is in use. */
  #shortest(): { readonly name: string; readonly share: number; readonly MiB: number } {
    return this.#options.memories
      .map(({ name, limitBytes, usedBytes }) => {
        const used = usedBytes()
        return { name, share: used / limitBytes, MiB: Math.round(used / 1024 ** 2) }
      })
      .reduce((shortest, one) => (one.share > shortest.share ? one : shortest))
  }
}

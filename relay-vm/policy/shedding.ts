/**
 * Memory before it runs out. Above its limit a relay admits nobody new and closes, second by second, strangers first
 * and then the newest connections on which nothing moves, until it is a tenth below. What was there when it began
 * loses at most half: memory that closing does not bring back is no reason to close the rest.
 */
import type { Log } from '@porttunneler/shared/base/log'

export type SheddingOptions = {
  readonly limitBytes: number
  readonly log: Log
  /** Memory of the process now. */
  usedBytes(): number
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

export class Shedding {
  readonly #options: SheddingOptions
  #left: number | undefined

  constructor(options: SheddingOptions) {
    this.#options = options
  }

  /** Nobody new is admitted. */
  get isShort(): boolean {
    return this.#left !== undefined
  }

  /** To be called once a second. */
  look(): void {
    const { limitBytes, log, usedBytes, visitors, shedStrangers, shedIdle } = this.#options
    const used = usedBytes()
    const MiB = Math.round(used / 1024 ** 2)
    if (this.#left === undefined) {
      if (used < limitBytes) return
      this.#left = Math.ceil(visitors() * lossShareMax)
      log.warn({ MiB, visitors: visitors() }, 'Memory is short: nobody new is admitted')
    } else if (used < limitBytes * calmShare) {
      this.#left = undefined
      log.warn({ MiB, visitors: visitors() }, 'Memory is no longer short')
      return
    }
    shedStrangers()
    const step = Math.max(stepMin, Math.ceil(visitors() * stepShare))
    this.#left -= shedIdle(Math.min(step, this.#left))
  }
}

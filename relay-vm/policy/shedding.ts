/**
 * Frees memory before it runs out. Above its limit a relay admits nobody new and closes, second by second, strangers
 * first and then the newest idle connections, until it is a tenth below. It closes at most half of the connections that
 * were there when it began: if closing does not bring memory back, there is no reason to close the rest. Two memories
 * count, each with its limit: the process's share of the machine, and the objects of V8, which ends the process at its
 * own limit.
 */
import type { Log } from '@porttunneler/shared/base/log'

export type Memory = {
  /** Its name in the log. */
  readonly name: string
  readonly limitBytes: number
  /** Bytes in use now. Never throws: it must not end the process that it guards. */
  usedBytes(): number
}

export type SheddingOptions = {
  readonly memories: readonly Memory[]
  readonly log: Log
  /** Connections that may be closed. */
  visitors(): number
  /** Ends all connections that have not said what they want. */
  shedStrangers(): void
  /** Ends up to `count` connections on which nothing has moved since the last call, newest first. @returns how many */
  shedIdle(count: number): number
}

/** The shortage is over when at most this share of the limit is in use. */
const calmShare = 0.9
/**
 * The share that is closed each time: small enough that a short peak costs little, large enough that 50 s clear a relay
 * of idle connections.
 */
const stepShare = 0.02
const stepMin = 8
const lossShareMax = 0.5
/** This many new connections take less than a megabyte. */
const glanceEvery = 64

export class Shedding {
  readonly #options: SheddingOptions
  #left: number | undefined
  #asked = 0

  constructor(options: SheddingOptions) {
    this.#options = options
  }

  /** Whether nobody new is admitted. Called for each that comes, because thousands may come between two looks. */
  get isShort(): boolean {
    if (this.#left === undefined && ++this.#asked % glanceEvery === 0) this.#begin()
    return this.#left !== undefined
  }

  /** Call it once a second. */
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

  /** The memory that uses the largest share of its limit. */
  #shortest(): { readonly name: string; readonly share: number; readonly MiB: number } {
    return this.#options.memories
      .map(({ name, limitBytes, usedBytes }) => {
        const used = usedBytes()
        return { name, share: used / limitBytes, MiB: Math.round(used / 1024 ** 2) }
      })
      .reduce((shortest, one) => (one.share > shortest.share ? one : shortest))
  }
}

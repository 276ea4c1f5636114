/**
 * Carriers that leave in an orderly way (rule 21): both sides put nothing new on them. The relay tells when none of its
 * own bytes are on the way there any more; then the agent, when the same is true for it, ends them.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { fail } from '../base/errors.ts'
import { FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import type { Carrier } from './carrier.ts'

export type RetirementOptions = {
  readonly side: 'relay' | 'agent'
  readonly clock: Clock
  readonly carriers: Iterable<Carrier>
}

export class Retirement {
  readonly #options: RetirementOptions
  /** The relay has told that none of its own bytes are on the way there any more. */
  readonly #released = new WeakSet<Carrier>()
  #timer: Timer | undefined

  constructor(options: RetirementOptions) {
    this.#options = options
  }

  start(carrier: Carrier): void {
    carrier.retire()
    const { clock } = this.#options
    this.#timer ??= clock.every(limits.retireTickMs, this.#tick, { background: true })
  }

  /** The relay has told it. */
  released(carrier: Carrier): void {
    this.#released.add(carrier)
  }

  close(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }

  readonly #tick = (): void => {
    const retiring = [...this.#options.carriers].filter((carrier) => carrier.isRetiring)
    for (const carrier of retiring) if (carrier.dependents === 0) this.#release(carrier)
    if (retiring.length === 0) this.close()
  }

  #release(carrier: Carrier): void {
    if (this.#options.side === 'agent') {
      if (this.#released.has(carrier)) carrier.lose(fail('carrier.lost', 'The carrier is no longer needed.'))
    } else if (!this.#released.has(carrier)) {
      this.#released.add(carrier)
      carrier.frames.sendEmpty(FrameType.retire, 0)
    }
  }
}

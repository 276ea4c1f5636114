/** Visitors, one after the other, who note when they were served and when not. */
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { eventually } from '../harness/events.ts'

const everyMs = 20

export class Visitors {
  readonly #visit: () => Promise<boolean>
  readonly #ending = new AbortController()
  readonly #loop: Promise<void>
  #served = 0
  #failed = 0
  #servedAt = 0

  /** @param visit resolves to whether the visitor was served */
  constructor(visit: () => Promise<boolean>) {
    this.#visit = visit
    this.#loop = this.#run()
  }

  get served(): number {
    return this.#served
  }

  get failed(): number {
    return this.#failed
  }

  /** Resolves once a visitor who came after `sinceMs` (monotonic) is served. @returns how long after */
  async backSince(sinceMs: number, deadlineMs: number): Promise<number> {
    const isBack = () => (this.#servedAt > sinceMs ? this.#servedAt : undefined)
    return (await eventually('a visitor is served', isBack, deadlineMs)) - sinceMs
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending
    while (!signal.aborted) {
      const isServed = await this.#visit().catch(() => false)
      if (isServed) this.#servedAt = systemClock.monotonic()
      this.#served += isServed ? 1 : 0
      this.#failed += isServed ? 0 : 1
      await sleep(systemClock, everyMs, signal).catch(() => undefined)
    }
  }
}

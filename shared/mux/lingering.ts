/**
 * Streams whose RESET waits for bytes written before it. One timer checks all of them: a stream of which nothing was
 * used for `limits.lastWordsMs` (up to a quarter more) is given up. While no carrier is ready nobody can use anything,
 * so that time does not count.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { limits } from '../protocol/limits.ts'

type Lingerer = { readonly usedBytes: number; giveUp(): void }
type Watch = { usedBytes: number; still: number }

const steps = 4

export class Lingering<T extends Lingerer> {
  readonly #clock: Clock
  readonly #isReady: () => boolean
  readonly #watches = new Map<T, Watch>()
  #timer: Timer | undefined

  constructor(clock: Clock, isReady: () => boolean) {
    this.#clock = clock
    this.#isReady = isReady
  }

  add(stream: T): void {
    this.#watches.set(stream, { usedBytes: stream.usedBytes, still: 0 })
    this.#timer ??= this.#clock.every(limits.lastWordsMs / steps, this.#look, { background: true })
  }

  forget(stream: T): void {
    if (!this.#watches.delete(stream) || this.#watches.size > 0) return
    this.close()
  }

  close(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }

  readonly #look = (): void => {
    if (!this.#isReady()) return
    for (const [stream, watch] of [...this.#watches]) {
      const { usedBytes } = stream
      watch.still = usedBytes === watch.usedBytes ? watch.still + 1 : 0
      watch.usedBytes = usedBytes
      if (watch.still <= steps) continue
      this.forget(stream)
      stream.giveUp()
    }
  }
}

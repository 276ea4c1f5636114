/** How many PINGs the other side may say: so many for bytes that it sent, and besides them so many a minute. */
import { PerMinute } from '../base/per-minute.ts'
import { limits } from '../protocol/limits.ts'

export class PingsHeard {
  readonly #perMinute = new PerMinute(limits.pingsPerMinute)
  /** Bytes that came in and that no PING was set against. */
  #bytes = 0

  received(bytes: number): void {
    this.#bytes += bytes
  }

  /** Marks follow what is sent (rule 22); those that ask for life, and whatever else there is, are counted. */
  allows(nowMs: number): boolean {
    if (this.#bytes < limits.pingBytes) return this.#perMinute.allows(nowMs)
    this.#bytes = Math.min(this.#bytes, limits.pingBytesMax) - limits.pingBytes
    return true
  }
}

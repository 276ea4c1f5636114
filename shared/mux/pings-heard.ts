/** How many PINGs the other side may send: some for the bytes that it sent, and some a minute besides. */
import { PerMinute } from '../base/per-minute.ts'
import { limits } from '../protocol/limits.ts'

export class PingsHeard {
  readonly #perMinute = new PerMinute(limits.pingsPerMinute)
  /** Bytes that came in and for which no PING was counted. */
  #bytes = 0

  received(bytes: number): void {
    this.#bytes += bytes
  }

  /** Marks follow sent bytes (rule 22); PINGs for liveness and all others are counted. */
  allows(nowMs: number): boolean {
    if (this.#bytes < limits.pingBytes) return this.#perMinute.allows(nowMs)
    this.#bytes = Math.min(this.#bytes, limits.pingBytesMax) - limits.pingBytes
    return true
  }
}

/**
 * The stream ids that an agent has seen in OPEN (rule 8): an id is dialled at most once, however often and in whatever
 * order its OPEN arrives. Ids come nearly in order, so everything below a mark is seen and few are kept above it.
 */
import { limits } from '../protocol/limits.ts'

export class SeenIds {
  #below = 1
  readonly #above = new Set<number>()

  has(id: number): boolean {
    return id < this.#below || this.#above.has(id)
  }

  add(id: number): void {
    if (this.has(id)) return
    this.#above.add(id)
    while (this.#above.delete(this.#below)) this.#below += 1
    // A gap is a stream that the relay reset before its OPEN arrived; it never closes.
    if (this.#above.size > limits.seenIds) this.#forgetGaps()
  }

  #forgetGaps(): void {
    const ids = [...this.#above].sort((a, b) => a - b)
    this.#below = (ids[ids.length >> 1] as number) + 1
    for (const id of ids) if (id < this.#below) this.#above.delete(id)
  }
}

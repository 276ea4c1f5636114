/**
 * Tells the ends of connections to those who hold their sockets, a share in each turn of the event loop. One frame, one
 * lost session or one command can end ten thousand at once. Each costs the time of some system calls, and nobody else
 * would be served for as long as they take together. Who has few waits for nobody: owners take turns.
 */
import { Fifo } from './fifo.ts'

/** Takes 3 to 10 ms: a visitor does not notice, and ten thousand connections end within a second. */
export const endingsPerTurn = 100

type End = () => void
/** Does work of a later turn, and counts it. */
type Counter = { count(work: End): void }

export class Endings {
  readonly #schedule: (run: () => void) => void
  /** By owner; the first is the next whose turn it is. */
  readonly #waiting = new Map<object, Fifo<End>>()
  #left = endingsPerTurn
  #isScheduled = false
  #isEnding = false

  /** `schedule` runs its argument in a later turn. */
  constructor(schedule: (run: () => void) => void) {
    this.#schedule = schedule
  }

  /**
   * Calls `end` at once if this turn has room, otherwise in a later turn, through `counter` if there is one. Those of
   * one owner keep their order. What is added during another ending is a part of that.
   */
  add(owner: object, end: End, counter?: Counter): void {
    if (this.#isEnding) {
      end()
      return
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#schedule(this.#nextTurn)
    }
    const queue = this.#waiting.get(owner)
    if (!queue && this.#left > 0) {
      this.#run(end)
      return
    }
    const late = counter ? () => counter.count(end) : end
    if (queue) queue.push(late)
    else {
      const first = new Fifo<End>()
      first.push(late)
      this.#waiting.set(owner, first)
    }
  }

  #run(end: End): void {
    this.#left -= 1
    this.#isEnding = true
    try {
      end()
    } finally {
      this.#isEnding = false
    }
  }

  readonly #nextTurn = (): void => {
    this.#isScheduled = this.#waiting.size > 0
    if (this.#isScheduled) this.#schedule(this.#nextTurn)
    this.#left = endingsPerTurn
    // An owner that has more comes again behind the others.
    for (const [owner, queue] of this.#waiting) {
      if (this.#left <= 0) break
      const end = queue.shift()
      this.#waiting.delete(owner)
      if (queue.length > 0) this.#waiting.set(owner, queue)
      if (end) this.#run(end)
    }
  }
}

/**
 * BIND and UNBIND of one session that wait for an answer, in the order they came. Only the last request for each
 * binding waits. When agents send many tickets, a check waits for its account's share: agents up to release 0.1 send
 * all their bindings again after each loss, and must not lose their session for it.
 */
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'

/** What an agent asks for a binding: a ticket, or undefined for UNBIND. */
type Word = string | undefined

/** Enough for all bindings to be bound and all to be ended. */
const waitingMax = 2 * limits.bindsPerSession
/** A share that is used up has something again after this time. */
const shareWaitMs = 100

export type BindingQueueOptions = {
  readonly clock: Clock
  /** Whether another ticket of the account may be checked now. */
  mayCheck(): boolean
  answer(bind: number, word: Word): Promise<void> | void
}

export class BindingQueue {
  readonly #options: BindingQueueOptions
  readonly #waiting = new Map<number, Word>()
  #isAnswering = false

  constructor(options: BindingQueueOptions) {
    this.#options = options
  }

  /** @throws control.flood */
  add(bind: number, word: Word): void {
    this.#waiting.set(bind, word)
    if (this.#waiting.size > waitingMax) throw fail('control.flood')
    if (!this.#isAnswering) void this.#answerAll()
  }

  close(): void {
    this.#waiting.clear()
  }

  async #answerAll(): Promise<void> {
    const { clock, mayCheck, answer } = this.#options
    this.#isAnswering = true
    for (;;) {
      const [next] = this.#waiting
      if (!next) break
      if (next[1] !== undefined && !mayCheck()) {
        await sleep(clock, shareWaitMs)
        continue
      }
      this.#waiting.delete(next[0])
      await answer(...next)
    }
    this.#isAnswering = false
  }
}

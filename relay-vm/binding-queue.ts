/**
 * BIND and UNBIND of one session that wait to be answered, in the order they came. Of each binding only the last word
 * waits, and when agents show many tickets a check waits for its account's share: releases up to 0.1 say all of theirs
 * again after each loss, and must not lose their session for it.
 */
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { limits } from '@porttunneler/shared/protocol/limits'

/** A word of an agent: a ticket, or undefined for UNBIND. */
type Word = string | undefined

/** As many as are bound, and as many that are to end. */
const waitingMax = 2 * limits.bindsPerSession
/** A share that is spent has something again after this. */
const shareWaitMs = 100

export type BindingQueueOptions = {
  readonly clock: Clock
  /** Whether the account may have another ticket checked now. */
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

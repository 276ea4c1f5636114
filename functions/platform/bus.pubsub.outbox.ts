/**
 * Messages on their way to Pub/Sub: those that come during a call go together with the next one. While Pub/Sub is down
 * callers are told soon, and their messages wait here, bounded in number and age, because the store has everything that
 * must not be lost.
 */
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { OnBackgroundError } from '@porttunneler/shared/control/platform'

export type Outbound = {
  readonly text: string
  readonly attributes: Readonly<Record<string, string>>
}

export type OutboxOptions = {
  readonly clock: Clock
  readonly random: () => number
  /** Resolves when Pub/Sub has them all; rejects within `publishMs`. */
  send(topic: string, messages: readonly Outbound[]): Promise<void>
  readonly onBackgroundError: OnBackgroundError
  /** Messages of one topic that may wait; beyond that the oldest is dropped. */
  readonly queueMax?: number
}

/** How long a caller waits, and how long a call may take. */
export const publishMs = 2_000
/** The same after a failed call: a request must not pay for an outage again and again. */
const publishFailingMs = 250
/** Four rounds of sync: by then every relay knows without us. */
const keepMs = 120_000
const queueMaxDefault = 1_000
/** Pub/Sub takes 1,000 or 10 MB in a call. */
const batchMax = 100
const retry: BackoffShape = { fastTries: 2, fastMs: 100, minMs: 500, maxMs: 5_000, jitter: 0.4 }

type Waiting = {
  readonly message: Outbound
  readonly atMs: number
  settle(error?: PortTunnelerError): void
}
type Queue = {
  readonly topic: string
  readonly waiting: Waiting[]
  isSending: boolean
  failures: number
  wake: AbortController | undefined
}

export class Outbox {
  readonly #options: OutboxOptions
  readonly #closing = new AbortController()
  readonly #queues = new Map<string, Queue>()

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /**
   * Resolves when Pub/Sub has the message. A message that was refused still waits here and may arrive.
   * @throws bus.unavailable within `publishMs`, bus.closed
   */
  publish(topic: string, message: Outbound): Promise<void> {
    const { clock } = this.#options
    if (this.#closing.signal.aborted) return Promise.reject(fail('bus.closed'))
    const queue = this.#queueOf(topic)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waitMs = queue.failures > 0 ? publishFailingMs : publishMs
    const late = clock.after(waitMs, () => reject(fail('bus.unavailable')), { background: true })
    const settle = (error?: PortTunnelerError) => {
      late.clear()
      if (error === undefined) resolve()
      else reject(error)
    }
    queue.waiting.push({ message, atMs: clock.monotonic(), settle })
    this.#bound(queue)
    if (queue.isSending) queue.wake?.abort()
    else void this.#send(queue)
    return promise
  }

  /** Messages of all topics that wait now. */
  get size(): number {
    return [...this.#queues.values()].reduce((sum, { waiting }) => sum + waiting.length, 0)
  }

  /** Drops what waits. Idempotent. */
  close(): void {
    this.#closing.abort()
    for (const { waiting } of this.#queues.values())
      for (const { settle } of waiting.splice(0)) settle(fail('bus.closed'))
  }

  #queueOf(topic: string): Queue {
    const known = this.#queues.get(topic)
    if (known !== undefined) return known
    const queue: Queue = { topic, waiting: [], isSending: false, failures: 0, wake: undefined }
    this.#queues.set(topic, queue)
    return queue
  }

  /** Sends until nothing waits. Never rejects. */
  async #send(queue: Queue): Promise<void> {
    const { send, clock, random } = this.#options
    const { signal } = this.#closing
    queue.isSending = true
    while (queue.waiting.length > 0 && !signal.aborted) {
      const batch = queue.waiting.splice(0, batchMax)
      try {
        const messages = batch.map(({ message }) => message)
        await send(queue.topic, messages)
        queue.failures = 0
        for (const { settle } of batch) settle()
      } catch (cause) {
        const error = signal.aborted ? fail('bus.closed') : fail('bus.unavailable', undefined, { cause })
        for (const { settle } of batch) settle(error)
        if (signal.aborted) break
        queue.waiting.unshift(...batch)
        this.#bound(queue)
        queue.wake = new AbortController()
        const pauseMs = backoffMs(retry, queue.failures++, random)
        // The next message wakes it: a process that was frozen since the failure tries at once.
        await sleep(clock, pauseMs, AbortSignal.any([signal, queue.wake.signal])).catch(() => undefined)
        queue.wake = undefined
        this.#expire(queue)
      }
    }
    this.#queues.delete(queue.topic)
  }

  #bound(queue: Queue): void {
    const { queueMax = queueMaxDefault } = this.#options
    const over = queue.waiting.splice(0, Math.max(0, queue.waiting.length - queueMax))
    this.#giveUp(queue, over, fail('bus.full'))
  }

  #expire(queue: Queue): void {
    const oldest = this.#options.clock.monotonic() - keepMs
    const count = queue.waiting.findIndex(({ atMs }) => atMs >= oldest)
    const old = queue.waiting.splice(0, count === -1 ? queue.waiting.length : count)
    this.#giveUp(queue, old, fail('bus.unavailable', 'Messages that waited for two minutes were given up.'))
  }

  #giveUp(queue: Queue, given: readonly Waiting[], error: PortTunnelerError): void {
    for (const { settle } of given) settle(error)
    if (given.length > 0) this.#options.onBackgroundError(`bus ${queue.topic} (${given.length})`, error)
  }
}

/**
 * A Bus inside one process. Each subscriber has its own bounded queue and handles one message at a time, so a slow or
 * failing one delays nobody. What is lost when a queue overflows or a message always fails is repaired by `sync`, as
 * the interface says; the owner is told.
 */
import { type BackoffShape, backoffMs } from '@porttunneler/shared/base/backoff'
import { type Clock, sleep } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Bus, Doc, OnBackgroundError, Subscription } from '@porttunneler/shared/control/platform'

export type LocalBusOptions = {
  readonly clock: Clock
  readonly random: () => number
  readonly onBackgroundError: OnBackgroundError
  /** Messages that may wait for one subscriber; beyond that the oldest is dropped. */
  readonly queueMax?: number
}

type OnMessage = (message: Doc) => Promise<void> | void

/** How often a message is delivered in all before it is dropped. */
export const deliveriesMax = 5
const queueMaxDefault = 10_000
const redelivery: BackoffShape = { fastTries: 1, fastMs: 10, minMs: 100, maxMs: 5_000, jitter: 0.4 }

export function openLocalBus(options: LocalBusOptions): Bus {
  /** topic -> key -> group */
  const topics = new Map<string, Map<string, Group>>()
  const closing = new AbortController()
  const assertOpen = () => {
    if (closing.signal.aborted) throw fail('bus.closed')
  }
  return {
    async publish(topic, message) {
      assertOpen()
      for (const group of topics.get(topic)?.values() ?? []) group.push(structuredClone(message))
    },
    async subscribe(topic, key, onMessage) {
      assertOpen()
      const groups = topics.get(topic) ?? new Map<string, Group>()
      topics.set(topic, groups)
      const group = groups.get(key) ?? new Group(topic, options, closing.signal)
      groups.set(key, group)
      return group.join(onMessage, () => {
        groups.delete(key)
        if (groups.size === 0) topics.delete(topic)
      })
    },
    async close() {
      closing.abort(fail('bus.closed'))
      topics.clear()
    },
  }
}

type Member = { readonly onMessage: OnMessage; readonly left: AbortController; isBusy: boolean }

/** The subscriptions of one key: a message goes to a free one, first to the one that had none for longest. */
class Group {
  readonly #topic: string
  readonly #options: LocalBusOptions
  readonly #busClosed: AbortSignal
  readonly #waiting: Doc[] = []
  readonly #members = new Set<Member>()

  constructor(topic: string, options: LocalBusOptions, busClosed: AbortSignal) {
    this.#topic = topic
    this.#options = options
    this.#busClosed = busClosed
  }

  join(onMessage: OnMessage, onEmpty: () => void): Subscription {
    const member: Member = { onMessage, left: new AbortController(), isBusy: false }
    this.#members.add(member)
    this.#wake()
    return {
      close: async () => {
        member.left.abort(fail('bus.closed'))
        // Only once: by a second call, the key may belong to a new subscriber.
        if (this.#members.delete(member) && this.#members.size === 0) onEmpty()
      },
    }
  }

  push(message: Doc): void {
    this.#waiting.push(message)
    if (this.#waiting.length > (this.#options.queueMax ?? queueMaxDefault)) {
      this.#waiting.shift()
      this.#report(fail('bus.full'))
    }
    this.#wake()
  }

  #wake(): void {
    for (const member of this.#members) {
      if (this.#waiting.length === 0) return
      if (!member.isBusy) this.#work(member).catch((error) => this.#report(error))
    }
  }

  async #work(member: Member): Promise<void> {
    member.isBusy = true
    const signal = AbortSignal.any([member.left.signal, this.#busClosed])
    // Publishers continue first: a handler's work is never part of publish().
    await null
    while (!signal.aborted) {
      const message = this.#waiting.shift()
      if (message === undefined) break
      // To the end of the line: the next message goes to another free subscriber, if there is one.
      if (this.#members.delete(member)) this.#members.add(member)
      await this.#deliver(member, message, signal)
    }
    member.isBusy = false
  }

  async #deliver(member: Member, message: Doc, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        return await member.onMessage(structuredClone(message))
      } catch (error) {
        if (attempt + 1 >= deliveriesMax) return this.#report(error)
        try {
          await sleep(clock, backoffMs(redelivery, attempt, random), signal)
        } catch {
          // Closed while waiting: another subscriber of the key gets the message.
          this.#waiting.unshift(message)
          return this.#wake()
        }
      }
    }
  }

  #report(error: unknown): void {
    const known = error instanceof Error ? error : new Error(String(error))
    this.#options.onBackgroundError(`bus ${this.#topic}`, known)
  }
}

/**
 * Bus on Pub/Sub. A message that fails at every delivery goes to the dead letters with its error, where it blocks
 * nobody (functions/dead-letters.ts). A deleted subscription is noticed within `deafMsMax` and made again, if this
 * process may do so.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { type Delivery, Pull } from '@porttunneler/shared/base/pull'
import type { Bus, Doc, OnBackgroundError, Subscription } from '@porttunneler/shared/control/platform'
import { type Outbound, Outbox, publishMs } from './bus.pubsub.outbox.ts'
import { openPubsubClients, type PubsubClients } from './pubsub-clients.ts'
import { deadLetters, subscriptionPath, topicPath } from './pubsub-names.ts'
import { ensureSubscription, ensureTopic } from './pubsub-provision.ts'

export type PubsubBusOptions = {
  readonly project: string
  readonly clock: Clock
  readonly random: () => number
  readonly onBackgroundError: OnBackgroundError
  /** Makes missing topics and subscriptions: for emulators, since in the cloud the infrastructure does. */
  readonly provisions?: boolean
  /** Messages that one subscriber handles at a time. */
  readonly messagesMax?: number
  /** Messages of one topic that may wait while Pub/Sub is down. */
  readonly queueMax?: number
}

type OnMessage = (message: Doc) => Promise<void> | void

/** How often a message is delivered in all before it is set aside. */
export const deliveriesMax = 5
const callOptions = { timeout: 10_000, retry: null }
/** Streams sometimes end by themselves; more than this in a row is trouble. */
const quietFailures = 2
const notFound = 5

export async function openPubsubBus(options: PubsubBusOptions): Promise<Bus> {
  return new PubsubBus(options, await openPubsubClients(options.project))
}

class PubsubBus implements Bus {
  readonly #options: PubsubBusOptions
  readonly #clients: PubsubClients
  readonly #outbox: Outbox
  readonly #pulls = new Set<Pull>()
  #closed: Promise<void> | undefined

  constructor(options: PubsubBusOptions, clients: PubsubClients) {
    this.#options = options
    this.#clients = clients
    this.#outbox = new Outbox({ ...options, send: (topic, messages) => this.#send(topic, messages) })
  }

  /** @throws bus.unavailable within two seconds, though the message may still arrive; bus.closed */
  publish(topic: string, message: Doc): Promise<void> {
    // Encoded now: the caller may change it while it waits.
    return this.#outbox.publish(topic, { text: JSON.stringify(message), attributes: { topic } })
  }

  /** @throws bus.closed, bus.subscription if it may not be made */
  async subscribe(topic: string, key: string, onMessage: OnMessage): Promise<Subscription> {
    const { project, clock, random, messagesMax } = this.#options
    if (this.#closed !== undefined) throw fail('bus.closed')
    await this.#ensure(topic, key)
    const task = `bus ${topic} ${key}`
    const subscription = subscriptionPath(project, topic, key)
    const pull = new Pull({
      client: this.#clients.subscriber,
      subscription,
      clock,
      random,
      handle: (delivery) => this.#handle({ topic, key, task }, delivery, onMessage),
      onLost: (lost) => this.#lost({ topic, key, task }, lost),
      onTrouble: (error) => this.#report(task, fail('bus.unavailable', undefined, { cause: error })),
      ...(messagesMax !== undefined && { messagesMax }),
    })
    this.#pulls.add(pull)
    try {
      // Sent after the stream was opened: once this is answered, Pub/Sub knows that somebody listens.
      await this.#clients.subscriber.getSubscription({ subscription }, callOptions)
    } catch (cause) {
      await this.#leave(pull)
      throw fail('bus.subscription', undefined, { cause })
    }
    return {
      close: () => this.#leave(pull),
    }
  }

  async #leave(pull: Pull): Promise<void> {
    this.#pulls.delete(pull)
    await pull.close()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#outbox.close()
    await Promise.all([...this.#pulls].map((pull) => pull.close()))
    await this.#clients.close()
  }

  async #send(topic: string, messages: readonly Outbound[]): Promise<void> {
    const { project, provisions } = this.#options
    const request = {
      topic: topicPath(project, topic),
      messages: messages.map(({ text, attributes }) => ({ data: Buffer.from(text), attributes })),
    }
    const send = () => this.#clients.publisher.publish(request, { timeout: publishMs, retry: null })
    try {
      await send()
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === notFound
      if (!isMissing || !provisions) throw error
      await ensureTopic({ project, clients: this.#clients }, topic)
      await send()
    }
  }

  async #handle(
    { topic, key, task }: Place,
    { text, attempt, id }: Delivery,
    onMessage: OnMessage,
  ): Promise<void> {
    try {
      await onMessage(JSON.parse(text))
    } catch (error) {
      if (attempt < deliveriesMax) throw error
      const said = error instanceof Error ? error.message : String(error)
      const code = isFailure(error) ? { code: error.code } : {}
      const attributes = {
        topic,
        key,
        message: id,
        attempts: `${attempt}`,
        error: said.slice(0, 500),
        ...code,
      }
      await this.#outbox.publish(deadLetters.topic, { text, attributes })
      this.#report(task, fail('bus.poison', undefined, { fields: attributes, cause: error }))
    }
  }

  async #lost(
    { topic, key, task }: Place,
    { isGone, error, failures }: { isGone: boolean; error: Error; failures: number },
  ): Promise<void> {
    if (isGone) this.#report(task, fail('bus.subscription', undefined, { cause: error }))
    else if (failures === quietFailures + 1)
      this.#report(task, fail('bus.unavailable', 'Messages cannot be received.', { cause: error }))
    if (!isGone || this.#closed !== undefined) return
    try {
      await this.#ensure(topic, key)
    } catch (cause) {
      this.#report(task, fail('bus.subscription', 'It could not be made again.', { cause }))
    }
  }

  async #ensure(topic: string, key: string): Promise<void> {
    const { project, provisions } = this.#options
    if (provisions) await ensureSubscription({ project, clients: this.#clients }, topic, key)
  }

  #report(task: string, error: Error): void {
    this.#options.onBackgroundError(task, error)
  }
}

type Place = { readonly topic: string; readonly key: string; readonly task: string }

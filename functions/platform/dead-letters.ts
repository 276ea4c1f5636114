/**
 * Messages that failed at every delivery: set aside by the bus, with the error, or by Pub/Sub itself, when the process
 * died of them. They are read under a lease, so that two people do not replay the same one.
 */
import type { protos } from '@google-cloud/pubsub'
import type { PubsubClients } from './pubsub-clients.ts'
import { deadLetters, subscriptionPath, topicPath } from './pubsub-names.ts'

export type DeadLetter = {
  readonly id: string
  /**
   * The topic it was published to (shared/control/names.ts) and will go to again; empty when the message does not say.
   */
  readonly topic: string
  /** Who could not handle it. */
  readonly key: string
  readonly attempts: number
  readonly error: string
  readonly text: string
  readonly atMs: number
  readonly ackId: string
}

type Place = { readonly project: string; readonly clients: PubsubClients }

/** A person looks at them meanwhile. */
const leaseSeconds = 60
const batchMax = 100
const deadlineExceeded = 4
const callOptions = { timeout: 10_000, retry: null }

/**
 * Leases at most `max` of the waiting ones; use `giveBack` for those that should stay.
 * @param waitMs after this much silence there are no more
 */
export async function takeDeadLetters(
  { project, clients: { subscriber } }: Place,
  { max, waitMs }: { max: number; waitMs: number },
): Promise<readonly DeadLetter[]> {
  const subscription = keeperOf(project)
  const taken = new Map<string, DeadLetter>()
  while (taken.size < max) {
    const maxMessages = Math.min(batchMax, max - taken.size)
    const letters = await pull(subscriber, { subscription, maxMessages, waitMs })
    const news = letters.filter(({ id }) => !taken.has(id))
    // Nothing came, or the first ones came again because their lease ran out.
    if (news.length === 0) break
    for (const letter of news) taken.set(letter.id, letter)
    const ackIds = news.map(({ ackId }) => ackId)
    await subscriber.modifyAckDeadline(
      { subscription, ackIds, ackDeadlineSeconds: leaseSeconds },
      callOptions,
    )
  }
  return [...taken.values()]
}

async function pull(
  subscriber: PubsubClients['subscriber'],
  { subscription, maxMessages, waitMs }: { subscription: string; maxMessages: number; waitMs: number },
): Promise<readonly DeadLetter[]> {
  try {
    const options = { timeout: waitMs, retry: null }
    const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages }, options)
    return (receivedMessages ?? []).map(letterOf)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === deadlineExceeded) return []
    throw error
  }
}

function letterOf({ ackId, message }: protos.google.pubsub.v1.IReceivedMessage): DeadLetter {
  const { topic = '', key, attempts, error, ...others } = message?.attributes ?? {}
  const subscription = others.CloudPubSubDeadLetterSourceSubscription
  const count = attempts ?? others.CloudPubSubDeadLetterSourceDeliveryCount
  return {
    id: message?.messageId ?? '',
    topic,
    key: key ?? subscription ?? '',
    attempts: Number(count ?? 0),
    error: error ?? 'It was handled by nobody until its end: the process died of it, or did not answer.',
    text: String(message?.data ?? ''),
    atMs: Number(message?.publishTime?.seconds ?? 0) * 1_000,
    ackId: ackId ?? '',
  }
}

/** Keeps them. */
export async function giveBack(place: Place, letters: readonly DeadLetter[]): Promise<void> {
  const ackIds = letters.map(({ ackId }) => ackId)
  const request = { subscription: keeperOf(place.project), ackIds, ackDeadlineSeconds: 0 }
  if (ackIds.length > 0) await place.clients.subscriber.modifyAckDeadline(request, callOptions)
}

/** Deletes them for good. */
export async function drop(place: Place, letters: readonly DeadLetter[]): Promise<void> {
  const ackIds = letters.map(({ ackId }) => ackId)
  const request = { subscription: keeperOf(place.project), ackIds }
  if (ackIds.length > 0) await place.clients.subscriber.acknowledge(request, callOptions)
}

/** Publishes them to their topics; each is deleted only after that, so it may come twice but is never lost. */
export async function replay(place: Place, letters: readonly DeadLetter[]): Promise<void> {
  const { project, clients } = place
  for (const letter of letters) {
    const { topic, text } = letter
    const messages = [{ data: Buffer.from(text), attributes: { topic } }]
    await clients.publisher.publish({ topic: topicPath(project, topic), messages }, callOptions)
    await drop(place, [letter])
  }
}

function keeperOf(project: string): string {
  return subscriptionPath(project, deadLetters.topic, deadLetters.key)
}

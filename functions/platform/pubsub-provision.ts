/**
 * Makes topics and subscriptions where no infrastructure does: on the emulator, and on a laptop. In the cloud processes
 * may not; the infrastructure makes the same, with a growing pause between deliveries (docs/decisions/0025).
 */
import type { PubsubClients } from './pubsub-clients.ts'
import { deadLetters, delivery, subscriptionPath, topicPath } from './pubsub-names.ts'

/** A subscription that nobody used for a day is deleted. */
const expirySeconds = 86_400
const alreadyExists = 6

type Place = { readonly project: string; readonly clients: PubsubClients }

/** Does nothing if it already exists. */
export async function ensureTopic({ project, clients }: Place, topic: string): Promise<void> {
  await unlessThere(clients.publisher.createTopic({ name: topicPath(project, topic) }))
}

/** Includes its topic and the dead letters. Does nothing if it already exists. */
export async function ensureSubscription(place: Place, topic: string, key: string): Promise<void> {
  const { project, clients } = place
  await Promise.all([ensureTopic(place, topic), ensureDeadLetters(place)])
  await unlessThere(
    clients.subscriber.createSubscription({
      name: subscriptionPath(project, topic, key),
      topic: topicPath(project, topic),
      ackDeadlineSeconds: delivery.ackDeadlineSeconds,
      messageRetentionDuration: { seconds: delivery.retentionSeconds },
      expirationPolicy: { ttl: { seconds: expirySeconds } },
      deadLetterPolicy: {
        deadLetterTopic: topicPath(project, deadLetters.topic),
        maxDeliveryAttempts: delivery.deliveriesMax,
      },
    }),
  )
}

/** Without a subscription a topic forgets at once. */
async function ensureDeadLetters(place: Place): Promise<void> {
  const { project, clients } = place
  const { topic, key } = deadLetters
  await ensureTopic(place, topic)
  await unlessThere(
    clients.subscriber.createSubscription({
      name: subscriptionPath(project, topic, key),
      topic: topicPath(project, topic),
      ackDeadlineSeconds: delivery.ackDeadlineSeconds,
      messageRetentionDuration: { seconds: delivery.keeperRetentionSeconds },
    }),
  )
}

async function unlessThere(making: Promise<unknown>): Promise<void> {
  try {
    await making
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === alreadyExists)) throw error
  }
}

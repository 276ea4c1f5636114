/**
 * Makes topics and subscriptions where no infrastructure does: on the emulator, and on a laptop. In the cloud processes
 * may not; the infrastructure makes the same, with a growing pause between deliveries (docs/decisions/0025).
 */
import { deadLetters, type PubsubClients, subscriptionPath, topicPath } from './pubsub-clients.ts'

/** By then every relay has got older ones from `sync` many times. */
const retentionSeconds = 600
/** Dead letters wait for a person. */
const keeperRetentionSeconds = 7 * 86_400
/** A subscription that nobody used for a day is deleted. */
const expirySeconds = 86_400
const ackDeadlineSeconds = 10
/** Pub/Sub's own way to the dead letters, for messages that kill the process handling them. */
const deliveriesMax = 10
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
      ackDeadlineSeconds,
      messageRetentionDuration: { seconds: retentionSeconds },
      expirationPolicy: { ttl: { seconds: expirySeconds } },
      deadLetterPolicy: {
        deadLetterTopic: topicPath(project, deadLetters.topic),
        maxDeliveryAttempts: deliveriesMax,
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
      ackDeadlineSeconds,
      messageRetentionDuration: { seconds: keeperRetentionSeconds },
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

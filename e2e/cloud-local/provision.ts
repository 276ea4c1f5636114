/** Makes topics and subscriptions of one cell and of the functions that Pub/Sub calls, like the infrastructure. */
import { topics } from '@porttunneler/shared/control/names'
import { openPubsubClients, type PubsubClients } from '../../functions/platform/pubsub-clients.ts'
import { subscriptionPath, topicPath } from '../../functions/platform/pubsub-names.ts'
import { ensureSubscription, ensureTopic } from '../../functions/platform/pubsub-provision.ts'

export type Place = { readonly project: string; readonly cell: string }

export async function provision(
  { project, cell }: Place,
  {
    instances,
    functionPorts,
  }: { readonly instances: readonly string[]; readonly functionPorts: ReadonlyMap<string, number> },
): Promise<void> {
  const clients = await openPubsubClients(project)
  try {
    const place = { project, clients }
    for (const instance of instances) await ensureSubscription(place, topics.commands(cell), instance)
    for (const [topic, name] of triggers) {
      await ensureTopic(place, topic)
      await push(place, { topic, name, port: functionPorts.get(name) ?? 0 })
    }
  } finally {
    await clients.close()
  }
}

const triggers = [
  [topics.events, 'onRelayEvent'],
  [topics.jobs, 'onJobs'],
] as const

/** A trigger is a subscription that pushes. The framework takes the topic's name from the path. */
async function push(
  { project, clients }: { readonly project: string; readonly clients: PubsubClients },
  { topic, name, port }: { readonly topic: string; readonly name: string; readonly port: number },
): Promise<void> {
  const path = topicPath(project, topic)
  await clients.subscriber.createSubscription({
    name: subscriptionPath(project, topic, name),
    topic: path,
    pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/${path}` },
  })
}

/** The setting by which the relay of a slot gets commands and sends events (relay-vm/config.ts). */
export function commandsOf({ project, cell }: Place, instance: string): object {
  const idOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)
  return {
    pubsub: {
      project,
      subscription: idOf(subscriptionPath(project, topics.commands(cell), instance)),
      events: idOf(topicPath(project, topics.events)),
    },
  }
}

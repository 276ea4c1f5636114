/** The topics and subscriptions of one cell and of `onRelayEvent`, as the infrastructure makes them in the cloud. */
import { topics } from '@porttunneler/shared/control/names'
import {
  openPubsubClients,
  type PubsubClients,
  subscriptionPath,
  topicPath,
} from '../../functions/platform/pubsub-clients.ts'
import { ensureSubscription, ensureTopic } from '../../functions/platform/pubsub-provision.ts'

export type Place = { readonly project: string; readonly cell: string }

export async function provision(
  { project, cell }: Place,
  { instances, eventsPort }: { readonly instances: readonly string[]; readonly eventsPort: number },
): Promise<void> {
  const clients = await openPubsubClients(project)
  try {
    const place = { project, clients }
    for (const instance of instances) await ensureSubscription(place, topics.commands(cell), instance)
    await ensureTopic(place, topics.events)
    await pushEvents(project, clients, eventsPort)
  } finally {
    await clients.close()
  }
}

/** A trigger is a subscription that pushes. The framework takes the path for the name of the topic. */
async function pushEvents(project: string, { subscriber }: PubsubClients, port: number): Promise<void> {
  const topic = topicPath(project, topics.events)
  await subscriber.createSubscription({
    name: subscriptionPath(project, topics.events, 'onRelayEvent'),
    topic,
    pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/${topic}` },
  })
}

/** The setting by which the relay of a slot hears and is heard (relay-vm/config.ts). */
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

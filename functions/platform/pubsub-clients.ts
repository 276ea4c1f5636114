/**
 * The two clients of Pub/Sub. PUBSUB_EMULATOR_HOST, which the SDK reads, is the only way to an emulator.
 */
import { PubSub, v1 } from '@google-cloud/pubsub'

export type PubsubClients = {
  readonly publisher: v1.PublisherClient
  readonly subscriber: v1.SubscriberClient
  /** Ends their gRPC channels. */
  close(): Promise<void>
}

/** gRPC waits up to two minutes before it dials again; commands cannot wait that long. */
const dialAgainMsMax = 5_000

export async function openPubsubClients(project: string): Promise<PubsubClients> {
  const config = await new PubSub({ projectId: project }).getClientConfig()
  const options = { ...config, 'grpc.max_reconnect_backoff_ms': dialAgainMsMax }
  const publisher = new v1.PublisherClient(options)
  const subscriber = new v1.SubscriberClient(options)
  return {
    publisher,
    subscriber,
    close: async () => {
      await Promise.all([publisher.close(), subscriber.close()])
    },
  }
}

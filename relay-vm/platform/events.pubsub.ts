/** Sends events by Pub/Sub, to the topic that `onRelayEvent` reads. Loaded only where it is configured. */
import { PubSub, v1 } from '@google-cloud/pubsub'
import type { Clock } from '@porttunneler/shared/base/clock'
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { PerMinute } from '@porttunneler/shared/base/per-minute'
import type { EventOutlet } from './events.ts'

export type PubsubEventsOptions = {
  readonly project: string
  /** Its id in the project. */
  readonly events: string
  readonly clock: Clock
  readonly log: Log
}

/** A flood at a relay must not become a flood at the control plane. */
const perMinuteMax = 10
/** gRPC waits up to two minutes before it dials again. */
const dialAgainMsMax = 5_000
const callOptions = { timeout: 2_000, retry: null }

export async function pubsubEvents({
  project,
  events,
  clock,
  log,
}: PubsubEventsOptions): Promise<EventOutlet> {
  const config = await new PubSub({ projectId: project }).getClientConfig()
  const client = new v1.PublisherClient({ ...config, 'grpc.max_reconnect_backoff_ms': dialAgainMsMax })
  const topic = `projects/${project}/topics/${events}`
  const rate = new PerMinute(perMinuteMax)
  return {
    send(event) {
      if (!rate.allows(clock.monotonic())) return
      const messages = [{ data: Buffer.from(JSON.stringify(event)), attributes: { topic: 'events' } }]
      client.publish({ topic, messages }, callOptions).catch((error: unknown) => {
        log.warn({ code: codes['bus.unavailable'].code, error }, 'An event waits for the next sync')
      })
    },
    close: () => client.close(),
  }
}

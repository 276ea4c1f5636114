/**
 * `onRelayEvent`: what relays publish at once because it must not wait for their next `sync`, by a Pub/Sub trigger on
 * the topic `events`. It throws only what another try may mend; Pub/Sub then delivers again.
 */
import type { Control } from '@porttunneler/shared/control/control'
import { takeRelayEvent } from '@porttunneler/shared/control/relay-events'
import { z } from 'zod'

/** The body of a CloudEvent of the type google.cloud.pubsub.topic.v1.messagePublished. */
const publishedSchema = z.object({ message: z.object({ data: z.base64().max(64 * 1024) }) })

/** For `cloudEvent('onRelayEvent', ...)` of the functions framework. @throws store.unavailable */
export function relayEventFunction(control: Control): (event: { data?: unknown }) => Promise<void> {
  return async ({ data }) => {
    const published = publishedSchema.safeParse(data)
    // What cannot be read is taken for an event that is none: said, and not sent again.
    await takeRelayEvent(control, published.success ? parseJson(published.data.message.data) : undefined)
  }
}

function parseJson(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
  } catch {
    return undefined
  }
}

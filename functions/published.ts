/** What a Pub/Sub trigger delivers: a CloudEvent of the type google.cloud.pubsub.topic.v1.messagePublished. */
import { z } from 'zod'

const publishedSchema = z.object({ message: z.object({ data: z.base64().max(64 * 1024) }) })

/** @returns the JSON that was published; undefined for anything else */
export function readPublished(data: unknown): unknown {
  const published = publishedSchema.safeParse(data)
  return published.success ? parseJson(published.data.message.data) : undefined
}

function parseJson(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'))
  } catch {
    return undefined
  }
}

/** What a relay publishes at once, beside `sync`, which brings the same event for certain within 30 s. */
import { z } from 'zod'
import { idSchema } from './common.ts'
import { securityEventSchema } from './relays.ts'

export const relayEventSchema = z.object({
  /** Whose event it is, by its own word: Pub/Sub proves that a relay sent it, not which one. */
  relay: idSchema('rel'),
  instance: z.string().regex(/^[a-z0-9-]{1,32}$/),
  event: securityEventSchema,
})
export type RelayEvent = z.infer<typeof relayEventSchema>

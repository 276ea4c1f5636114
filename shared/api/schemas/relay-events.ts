/** What a relay publishes at once; `sync` brings the same event for certain within 30 s. */
import { z } from 'zod'
import { idSchema } from './common.ts'
import { securityEventSchema } from './relays.ts'

export const relayEventSchema = z.object({
  /** The relay's own claim: Pub/Sub proves that one of our relays sent it, not which one. */
  relay: idSchema('rel'),
  instance: z.string().regex(/^[a-z0-9-]{1,32}$/),
  event: securityEventSchema,
})
export type RelayEvent = z.infer<typeof relayEventSchema>

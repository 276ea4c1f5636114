/**
 * How what must not wait for the next `sync` is told at once; `sync` tells it again, for certain. One implementation a
 * technology: events.pubsub.ts (Google Cloud).
 */
import type { RelayEvent } from '@porttunneler/shared/api/schemas/relay-events'

export interface EventOutlet {
  /** Never throws and never waits. More than a few a minute are left to `sync`. */
  send(event: RelayEvent): void
  close(): Promise<void>
}

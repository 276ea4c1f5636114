/**
 * Sends events at once that must not wait for the next `sync`; `sync` sends them again, so that they surely arrive.
 * There is one implementation a technology: events.pubsub.ts (Google Cloud).
 */
import type { RelayEvent } from '@porttunneler/shared/api/schemas/relay-events'

export interface EventOutlet {
  /** Never throws and never waits. Events beyond a few a minute are left to `sync`. */
  send(event: RelayEvent): void
  close(): Promise<void>
}

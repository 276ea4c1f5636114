/**
 * `onRelayEvent`: events that relays publish at once because they cannot wait for the next `sync`, by a Pub/Sub trigger
 * on the topic `events`. It throws only if another try may help; Pub/Sub then delivers again.
 */
import type { Control } from '@porttunneler/shared/control/control'
import { takeRelayEvent } from '@porttunneler/shared/control/relay-events'
import { readPublished } from './published.ts'

/** For `cloudEvent('onRelayEvent', ...)` of the functions framework. @throws store.unavailable */
export function relayEventFunction(control: Control): (event: { data?: unknown }) => Promise<void> {
  return async ({ data }) => {
    // An unreadable message counts as an invalid event: it is logged, and not sent again.
    await takeRelayEvent(control, readPublished(data))
  }
}

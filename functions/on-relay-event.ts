/**
 * `onRelayEvent`: what relays publish at once because it must not wait for their next `sync`, by a Pub/Sub trigger on
 * the topic `events`. It throws only what another try may mend; Pub/Sub then delivers again.
 */
import type { Control } from '@porttunneler/shared/control/control'
import { takeRelayEvent } from '@porttunneler/shared/control/relay-events'
import { readPublished } from './published.ts'

/** For `cloudEvent('onRelayEvent', ...)` of the functions framework. @throws store.unavailable */
export function relayEventFunction(control: Control): (event: { data?: unknown }) => Promise<void> {
  return async ({ data }) => {
    // What cannot be read is taken for an event that is none: said, and not sent again.
    await takeRelayEvent(control, readPublished(data))
  }
}

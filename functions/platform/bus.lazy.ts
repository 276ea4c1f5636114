/**
 * A bus that opens at its first use: most requests publish nothing, and its SDK is a third of what an instance would
 * load before its first answer.
 */
import type { Bus } from '@porttunneler/shared/control/platform'

/** A failure to open is not kept: the next use tries again. */
export function lazyBus(open: () => Promise<Bus>): Bus {
  let opening: Promise<Bus> | undefined
  const bus = () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  return {
    publish: async (topic, message) => (await bus()).publish(topic, message),
    subscribe: async (topic, key, onMessage) => (await bus()).subscribe(topic, key, onMessage),
    close: async () => (await opening)?.close(),
  }
}

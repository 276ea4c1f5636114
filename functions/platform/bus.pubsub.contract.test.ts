/** The bus on Google's own emulator: what every bus promises, and what Pub/Sub adds. */
import { systemClock, type Timer } from '@porttunneler/shared/base/clock'
import type { Bus } from '@porttunneler/shared/control/platform'
import { type BusUnderTest, describeBus } from '@porttunneler/shared/testing/bus.contract'
import { randomProject, withEmulators } from '../testing/with-emulators.ts'
import { openPubsubBus, type PubsubBusOptions } from './bus.pubsub.ts'

/** How long nothing may come before nothing is expected any more; the emulator delivers again after some 150 ms. */
const quietMs = { handled: 300, failed: 3_000 }

withEmulators((hosts) => {
  process.env.PUBSUB_EMULATOR_HOST = hosts.pubsub
  const open = (changes: Partial<PubsubBusOptions> = {}) =>
    openPubsubBus({
      project: randomProject(),
      clock: systemClock,
      random: Math.random,
      provisions: true,
      onBackgroundError: (task, error) => {
        throw new Error(task, { cause: error })
      },
      ...changes,
    })

  describeBus('pubsub', async () => settling(await open()))
})

/** Settled = nothing was delivered for a while. */
function settling(bus: Bus): BusUnderTest {
  let quiet: Timer | undefined
  let settled = () => {}
  const wait = (ms: number) => {
    quiet?.clear()
    quiet = systemClock.after(ms, () => settled())
  }
  return {
    bus: {
      publish: (topic, message) => bus.publish(topic, message),
      subscribe: (topic, key, onMessage) =>
        bus.subscribe(topic, key, async (message) => {
          wait(quietMs.failed)
          await onMessage(message)
          wait(quietMs.handled)
        }),
      close: () => bus.close(),
    },
    settle: () =>
      new Promise((resolve) => {
        settled = resolve
        wait(quietMs.handled)
      }),
  }
}

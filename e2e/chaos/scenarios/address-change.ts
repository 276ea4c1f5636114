/** The agent's address changes in the middle of many transfers: each goes on where it stopped. */
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { assertAtMost, ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers } from '../transfers.ts'
import { openWorld } from '../world.ts'

const pauseMsMax = 1_500

export const addressChange: Scenario = {
  name: 'address-change',
  title: "the agent's address changes in the middle of 200 transfers: all bytes arrive, the pause is short",
  async run({ network, faults, seed, isShort, patience }) {
    const world = await openWorld(network)
    try {
      const shape = { bytes: (isShort ? 512 : 2_048) * 1_024, chunkBytes: 8_192, everyMs: 50, seed }
      const transfers = await startTransfers(world.echo, 200, shape)
      await sleep(systemClock, 1_000)
      faults.moveAgent()
      const movedMs = systemClock.monotonic()
      const receivedThen = transfers.map(({ received }) => received)
      const waits = await Promise.all(
        transfers.map(async (transfer, index) => {
          while (transfer.received === receivedThen[index]) await sleep(systemClock, 5)
          return transfer.heardAtMs - movedMs
        }),
      )
      await allWhole(transfers)
      const longest = Math.max(...waits)
      assertAtMost(longest, pauseMsMax * patience, 'longest pause after the new path works, ms')
      return [`200 of 200 whole`, `longest pause ${ms(longest)}`]
    } finally {
      await world.close()
    }
  },
}

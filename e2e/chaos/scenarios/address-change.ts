/** The agent's address changes in the middle of many transfers: each goes on where it stopped. */
import assert from 'node:assert/strict'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'
import { assertAtMost, ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers, type Transfer } from '../transfers.ts'
import { openWorld } from '../world.ts'

const pauseMsMax = 1_500
/** Then a session is given up. */
const deadlineMs = limits.resumeGraceMs

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
      // On a busy machine the first may be whole before the last has begun.
      const underWay = transfers.filter(({ received }) => received < shape.bytes)
      assert(underWay.length > 0, 'every transfer was over before the move')
      const waits = await Promise.all(underWay.map((transfer) => firstAfter(transfer, movedMs)))
      await allWhole(transfers)
      const longest = Math.max(...waits)
      assertAtMost(longest, pauseMsMax * patience, 'longest pause after the new path works, ms')
      return [`200 of 200 whole`, `longest pause of ${underWay.length} under way ${ms(longest)}`]
    } finally {
      await world.close()
    }
  },
}

/** @returns ms from `fromMs` to the next byte of `transfer`. Rejects when it fails before. */
async function firstAfter(transfer: Transfer, fromMs: number): Promise<number> {
  const { received } = transfer
  const moved = async () => {
    while (transfer.received === received && systemClock.monotonic() < fromMs + deadlineMs)
      await sleep(systemClock, 5)
    assert(transfer.received > received, 'no byte after the move')
    return transfer.heardAtMs - fromMs
  }
  return await Promise.race([moved(), failureOf(transfer)])
}

/** Never resolves. */
function failureOf({ done }: Transfer): Promise<never> {
  return new Promise((_resolve, reject) => void done.catch(reject))
}

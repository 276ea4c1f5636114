/** Carriers are killed again and again under load. */

import assert from 'node:assert/strict'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { ms, type Scenario } from '../scenario.ts'
import { allWhole, startTransfers } from '../transfers.ts'
import { openWorld, relayPorts } from '../world.ts'

const everyMs = 200

export const killedCarriers: Scenario = {
  name: 'killed-carriers',
  title: 'every carrier is killed each 200 ms under load: nothing is lost or doubled',
  async run({ network, faults, seed, isShort }) {
    const spanMs = isShort ? 5_000 : 60_000
    const world = await openWorld(network)
    try {
      const paceMs = 20
      const chunkBytes = 16_384
      const shape = { bytes: (spanMs / paceMs) * chunkBytes, chunkBytes, everyMs: paceMs, seed }
      const transfers = await startTransfers(world.echo, 32, shape)
      const endMs = systemClock.monotonic() + spanMs
      let killed = 0
      while (systemClock.monotonic() < endMs) {
        await sleep(systemClock, everyMs)
        killed += faults.killConnections(relayPorts.tls)
      }
      await allWhole(transfers)
      assert(killed >= spanMs / everyMs / 4, `only ${killed} carriers were there to be killed`)
      const longest = Math.max(...transfers.map(({ longestPauseMs }) => longestPauseMs))
      const mebibytes = Math.round((transfers.length * shape.bytes) / 1_024 ** 2)
      return [
        `${killed} carriers killed in ${spanMs / 1_000} s`,
        `32 of 32 whole (${mebibytes} MiB each way)`,
        `longest pause ${ms(longest)}`,
      ]
    } finally {
      await world.close()
    }
  },
}

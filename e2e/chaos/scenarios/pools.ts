/** Each pool of a relay full of one tenant, and how soon another is served: the figures of e2e/pools. */
import assert from 'node:assert/strict'
import { rowNames, walkRow } from '../../pools/walk.ts'
import type { Scenario } from '../scenario.ts'

export const fullPools: Scenario = {
  name: 'pools',
  title: 'each pool full of one tenant: p99 of another at most doubled',
  async run({ isShort }) {
    const options = {
      ...(isShort ? { samples: 20, rounds: 1 } : { samples: 60, rounds: 5 }),
      by: 'p99',
    } as const
    const figures: string[] = []
    const misses: string[] = []
    for (const row of rowNames) {
      const { quietMs, fullMs, isKept } = await walkRow(row, options)
      const figure = `${row} ${fullMs.toFixed(1)} ms, without ${quietMs.toFixed(1)} ms`
      figures.push(figure)
      if (!isKept) misses.push(figure)
    }
    assert(misses.length === 0, `${misses.join('; ')}; all: ${figures.join('; ')}`)
    return [`p99: ${figures.join('; ')}`]
  },
}

/**
 * Each pool of a relay, full of one tenant: another is served with its p99 at most doubled. The exact figures are those
 * of `npm run chaos -- --only pools`.
 */
import { expect, test } from 'vitest'
import { rowNames, walkRow } from './pools/walk.ts'

test.each(rowNames)('%s: full of one tenant, it serves another as before', async (row) => {
  const { quietMs, fullMs, isKept } = await walkRow(row, { samples: 12, rounds: 1 })
  expect(isKept, `p99 ${fullMs} ms, without ${quietMs} ms`).toBe(true)
})

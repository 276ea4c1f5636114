/**
 * A relay's pools, full of one tenant: another is served, and waits no longer. `npm run test:long` fills each row of
 * them; the exact figures are those of `npm run chaos -- --only pools`. That each row yields to another tenant is also
 * in relay-vm/policy/pools.test.ts.
 */
import { expect, test } from 'vitest'
import { breadthOf } from './breadth.ts'
import { type RowName, rowNames, walkRow } from './pools/walk.ts'

/** Visitors and agents, held and by rate; bytes; and what is kept about tenants. */
const chosen: readonly RowName[] = [
  'streams',
  'carriers',
  'rate tunnel',
  'budget streams',
  'history',
  'usage',
]

test.each(breadthOf(rowNames, chosen))('%s: full of one tenant, it serves another as before', async (row) => {
  const { quietMs, fullMs, isKept } = await walkRow(row, { samples: 12, rounds: 1, by: 'median' })
  expect(isKept, `median ${fullMs} ms, without ${quietMs} ms`).toBe(true)
})

import { expect, test } from 'vitest'
import { makeTestControl, quietSync } from '../../standalone/testing/control.ts'
import { type CountingStore, countingStore } from '../testing/counting-store.ts'
import { chooseCell } from './cell-choice.ts'
import { syncRelay } from './relays.ts'

test('choosing among 20 cells for a new tunnel reads only the chosen one, except every 15 s', async () => {
  let counting: CountingStore | undefined
  const t = makeTestControl({
    wrapStore(store) {
      counting = countingStore(store)
      return counting.store
    },
  })
  const reads = async (work: () => Promise<unknown>) => {
    const before = counting?.counts.reads ?? 0
    await work()
    return (counting?.counts.reads ?? 0) - before
  }
  await t.openCell()
  for (let n = 1; n < 20; n++) {
    const id = `cell-${n}`
    await t.openCell({ id, portFrom: 20_000, portTo: 20_000 })
    await syncRelay(t.control, { relay: `rel_${n}`, cell: id }, quietSync)
  }
  const first = await reads(() => chooseCell(t.control, { preferred: '' }))
  // The list and each cell with its relays once; then a hundred claims cost two or three reads each.
  expect(first).toBeLessThan(70)
  const hundred = await reads(async () => {
    for (let claim = 0; claim < 100; claim++) await chooseCell(t.control, { preferred: '' })
  })
  expect(hundred).toBeGreaterThan(100)
  expect(hundred).toBeLessThanOrEqual(300)
  t.clock.advance(16_000)
  expect(await reads(() => chooseCell(t.control, { preferred: '' }))).toBeLessThan(70)
  await t.close()
})

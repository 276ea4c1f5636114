import { Budget } from '@porttunneler/shared/mux/budget'
import { expect, test } from 'vitest'
import { HeldBodies } from './held-bodies.ts'

test('held bodies: they leave half of the memory to others, and the oldest yields to who needs more', () => {
  const all = new Budget(1_000, undefined, { isFair: true })
  const bodies = new HeldBodies(all)
  const dropped: number[] = []
  const held: boolean[] = []
  for (let index = 0; index < 6; index++)
    held.push(bodies.hold({ index }, { bytes: 100, drop: () => void dropped.push(index) }))
  expect(held).toEqual([true, true, true, true, true, false])
  const sessions = [250, 125, 100].map((bytes) => new Budget(Number.POSITIVE_INFINITY, all).take(bytes))
  expect(sessions).toEqual([true, true, true])
  expect(dropped).toEqual([0, 1, 2])
  expect(bodies.usedBytes).toBe(200)
  // What was never held gives nothing back.
  bodies.release({})
  expect(bodies.usedBytes).toBe(200)
})

/** When a new revision does worse than a release may. */
import { expect, test } from 'vitest'
import { type Figures, fault } from './watch.ts'

const usual: Figures = { calls: 10_000, failed: 0, slowestMs: 100 }

test.each<[what: string, fresh: Figures | undefined, old: Figures | undefined, says: RegExp | undefined]>([
  ['nobody has called it', undefined, usual, undefined],
  ['too few calls to say anything', { calls: 49, failed: 49 }, usual, undefined],
  ['every call fails', { calls: 50, failed: 50 }, usual, /^50 of 50 calls failed/],
  ['failures at the bound of the fast alert', { calls: 10_000, failed: 144 }, usual, undefined],
  ['failures above it', { calls: 10_000, failed: 145 }, usual, /^145 of 10000 calls failed, 14\.5 times/],
  ['failures without an old revision', { calls: 100, failed: 2 }, undefined, /failed/],
  ['as quick as the old one', { ...usual }, usual, undefined],
  ['twice as slow, but by little', { calls: 100, failed: 0, slowestMs: 340 }, usual, undefined],
  [
    'much slower',
    { calls: 100, failed: 0, slowestMs: 351 },
    usual,
    /took up to 351 ms, with the old revision 100 ms/,
  ],
  [
    'slower by much, but not twice',
    { calls: 100, failed: 0, slowestMs: 1_900 },
    { ...usual, slowestMs: 1_000 },
    undefined,
  ],
  [
    'slow, and the old one has too few calls to compare',
    { calls: 100, failed: 0, slowestMs: 900 },
    { ...usual, calls: 3 },
    undefined,
  ],
])('%s', (_, fresh, old, says) => {
  const found = fault(fresh, old)
  if (says === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(says)
})

import { expect, test } from 'vitest'
import { highestCounts, packCounts, unpackCounts } from './packed-counts.ts'

const shape = { width: 3, rows: 60 }

test('series come back as they went in, up to the largest whole number', () => {
  const figures = Array.from({ length: 180 }, (_, n) => (n % 7 === 0 ? Number.MAX_SAFE_INTEGER - n : n ** 3))
  expect(unpackCounts(packCounts(figures, shape), shape)).toEqual(figures)
})

test('empty rows at the end take no room, and an empty hour takes none at all', () => {
  const figures = new Array<number>(180).fill(0)
  expect(packCounts(figures, shape)).toBe('')
  figures[4] = 1
  expect(Buffer.from(packCounts(figures, shape), 'base64url')).toHaveLength(6)
  expect(unpackCounts(packCounts(figures, shape), shape)).toEqual(figures)
})

test.each([
  ['a number that runs past the end', Buffer.from([0, 0, 0x80])],
  ['an incomplete row', Buffer.from([1, 2])],
  ['a number beyond 2^53', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0])],
  ['too many rows', Buffer.alloc(181)],
])('%s is no series', (_, bytes) => {
  expect(unpackCounts(bytes.toString('base64url'), shape)).toBeUndefined()
})

test('merging two reports keeps the higher figure at each place, and any series beats a text that is none', () => {
  const small = { width: 1, rows: 3 }
  const of = (...figures: number[]) => packCounts(figures, small)
  expect(highestCounts(of(5, 0, 1), of(2, 3), small)).toBe(of(5, 3, 1))
  expect(highestCounts(undefined, of(2), small)).toBe(of(2))
  expect(highestCounts(of(2), undefined, small)).toBe(of(2))
  expect(highestCounts('gA', of(2), small)).toBe(of(2))
  expect(highestCounts(of(2), 'gA', small)).toBe(of(2))
})

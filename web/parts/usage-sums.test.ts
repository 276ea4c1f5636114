import { expect, test } from 'vitest'
import { barsOf } from './usage-sums.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const carried = { opened: 0, refused: 0 }

test('usage: the hours of a day add up to its bar, and a day without any has an empty one', () => {
  const from = 10 * dayMs + 5 * hourMs
  const hours = [
    { hour: from, in: 1, out: 10, ...carried },
    { hour: from + hourMs, in: 2, out: 20, ...carried },
    { hour: 12 * dayMs, in: 4, out: 40, ...carried },
  ]
  expect(barsOf({ from, to: 12 * dayMs + 1, hours }, dayMs)).toEqual([
    { at: 10 * dayMs, in: 3, out: 30 },
    { at: 11 * dayMs, in: 0, out: 0 },
    { at: 12 * dayMs, in: 4, out: 40 },
  ])
})

test('usage: an hour outside the span makes no bar', () => {
  expect(
    barsOf({ from: 0, to: hourMs, hours: [{ hour: 5 * hourMs, in: 1, out: 1, ...carried }] }, hourMs),
  ).toHaveLength(2)
})

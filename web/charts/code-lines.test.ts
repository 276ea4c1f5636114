import { expect, test } from 'vitest'
import { linesOfCodes } from './code-lines.ts'

const at = [0, 1, 2]

test('codes: each has a line with zero where it did not come, and a gap where nobody knows', () => {
  const codes = new Map([[1, { '502': 3, 'PT-4001': 1 }]])
  expect(linesOfCodes({ at, serverError: [null, 4, 0], codes })).toEqual([
    { label: '502', values: [null, 3, 0] },
    { label: 'PT-4001', values: [null, 1, 0] },
  ])
})

test('codes: the five met most often have lines of their own, and the rest is one', () => {
  const counts = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`PT-${n}`, n + 1]))
  const lines = linesOfCodes({ at: [0], serverError: [9], codes: new Map([[0, counts]]) })
  expect(lines.map(({ label }) => label)).toEqual(['PT-7', 'PT-6', 'PT-5', 'PT-4', 'PT-3', 'Others'])
  expect(lines.at(-1)?.values).toEqual([1 + 2 + 3])
})

test('codes: without an error there is no chart', () => {
  expect(linesOfCodes({ at, serverError: [0, 0, 0], codes: new Map() })).toEqual([])
})

import { expect, test } from 'vitest'
import { joinLines } from './log-queries.ts'
import type { LogLine } from './operator-service-calls.ts'

const line = (n: number): LogLine => ({
  id: `${n}`,
  at: n,
  level: 'info',
  source: 'control',
  message: `line ${n}`,
  fields: {},
})
const lines = (...numbers: number[]) => numbers.map(line)
const none = { lines: [], isCut: false }

test('followed lines: each is there once, the newest first, also when one comes late', () => {
  const first = joinLines(none, lines(3, 1), false)
  const second = joinLines(first, lines(4, 3, 2), false)
  expect(second.lines.map(({ at }) => at)).toEqual([4, 3, 2, 1])
  expect(second.isCut).toBe(false)
})

test('followed lines: it is said when some were not read, and when more came than are shown', () => {
  const first = joinLines(none, lines(1), false)
  expect(joinLines(first, lines(9, 8), true).isCut).toBe(true)
  expect(joinLines(first, lines(2, 1), true).isCut, 'a full page that reaches back').toBe(false)
  const many = lines(...Array.from({ length: 501 }, (_, n) => 501 - n))
  const cut = joinLines(none, many, false)
  expect([cut.isCut, cut.lines.length, cut.lines[0]?.at]).toEqual([true, 500, 501])
  expect(joinLines(cut, [], false).isCut).toBe(true)
})

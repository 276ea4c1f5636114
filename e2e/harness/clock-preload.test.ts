import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { wrongDate } from './clock-preload.ts'

const dayMs = 86_400_000

/** What `expression` is in an engine of its own whose clock is a day ahead, and once more ahead by a second day. */
function inWrongTime(expression: string): unknown {
  return runInNewContext(`${wrongDate(`${dayMs}`)}\n${wrongDate(`${dayMs}`)}\n${expression}`)
}

describe('a clock that is set ahead', () => {
  test.each(['Date.now()', 'new Date().getTime()', 'Date.parse(Date())', 'Number(new Date())'])(
    'is ahead for %s, twice when it was set twice',
    (expression) => {
      const aheadMs = Number(inWrongTime(expression)) - Date.now()
      expect(Math.abs(aheadMs - 2 * dayMs)).toBeLessThan(5_000)
    },
  )

  test('changes no date that a program names', () => {
    expect(inWrongTime('new Date(0).toISOString()')).toBe('1970-01-01T00:00:00.000Z')
    expect(inWrongTime('Date.UTC(1970, 0, 2)')).toBe(dayMs)
    expect(inWrongTime('new Date(1970, 0, 2) instanceof Date')).toBe(true)
    expect(inWrongTime('new (class extends Date {})() instanceof Date')).toBe(true)
  })
})

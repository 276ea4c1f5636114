/** Which rows are on the screen. */
import { expect, test } from 'vitest'
import { rangeOf } from './visible-rows.ts'

const screen = { height: 800, rowPx: 40, count: 1_000 }

test('visible rows: at the top of a thousand only a screenful is rendered', () => {
  const [from, to] = rangeOf({ ...screen, top: 200 })
  expect(from).toBe(0)
  expect(to).toBeGreaterThanOrEqual(15)
  expect(to).toBeLessThanOrEqual(28)
})

test('visible rows: every row that is on the screen is in the range, wherever somebody has scrolled to', () => {
  for (let top = 300; top > -45_000; top -= 137) {
    const [from, to] = rangeOf({ ...screen, top })
    for (let row = 0; row < screen.count; row += 1) {
      const y = top + row * screen.rowPx
      if (y + screen.rowPx > 0 && y < screen.height) expect(row >= from && row < to).toBe(true)
    }
    expect(to - from).toBeLessThanOrEqual(20 + 16 + 8)
    expect(from).toBeGreaterThanOrEqual(0)
    expect(to).toBeLessThanOrEqual(screen.count)
  }
})

test('visible rows: a small scroll moves no row in or out', () => {
  const ranges = [1, 2, 3].map((px) => rangeOf({ ...screen, top: -4_000 - px }).join())
  expect(new Set(ranges).size).toBe(1)
})

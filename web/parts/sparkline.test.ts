/** The small picture of a tunnel's last minute. */
import { expect, test } from 'vitest'
import { pathOf } from './sparkline.tsx'

test('sparkline: nothing carried, or nothing heard, draws no line', () => {
  expect(pathOf({ in: [], out: [] })).toBeUndefined()
  expect(pathOf({ in: [0, null, 0], out: [0, null, 0] })).toBeUndefined()
})

test('sparkline: both directions count, the newest stands at the right, and the highest at the top', () => {
  const path = pathOf({ in: [0, 5, 10], out: [0, 5, 30] })
  expect(path?.split(/[ML]/).filter(Boolean)).toHaveLength(3)
  expect(path).toMatch(/L72\.0 1\.0$/)
  expect(path).toContain(`${(19 - (10 / 40) * 18).toFixed(1)}`)
})

test('sparkline: only the last minute is drawn, however much is kept', () => {
  const values = Array.from({ length: 300 }, (_, second) => (second < 200 ? 1_000 : 1))
  const path = pathOf({ in: values, out: values })
  expect(path?.split('L')).toHaveLength(60)
  expect(
    new Set(
      path
        ?.slice(1)
        .split('L')
        .map((place) => place.split(' ')[1]),
    ),
  ).toEqual(new Set(['1.0']))
})

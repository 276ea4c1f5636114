import { expect, test } from 'vitest'
import { timeBoundsMs, timeBucketOf, timeBuckets, timeWithin } from './latency.ts'

const countsOf = (times: readonly number[]) => {
  const counts = new Array<number>(timeBuckets).fill(0)
  for (const ms of times) counts[timeBucketOf(ms)] = (counts[timeBucketOf(ms)] ?? 0) + 1
  return counts
}

test('each time is in the bucket of its bounds, bounds included', () => {
  for (const [at, bound] of timeBoundsMs.entries()) {
    expect(timeBucketOf(bound)).toBe(at)
    expect(timeBucketOf(bound * 1.001)).toBe(at + 1)
  }
  expect(timeBucketOf(0)).toBe(0)
  expect(timeBucketOf(1e9)).toBe(timeBuckets - 1)
})

test('percentiles of added counts are those of all answers together, a fifth off at most', () => {
  const quick = Array.from({ length: 900 }, (_, n) => 2 + (n % 40))
  const slow = Array.from({ length: 100 }, (_, n) => 300 + 7 * n)
  const both = [...quick, ...slow].sort((a, b) => a - b)
  const added = countsOf(quick).map((count, at) => count + (countsOf(slow)[at] ?? 0))
  for (const q of [0.1, 0.5, 0.9, 0.95, 0.99, 1]) {
    const exact = both[Math.ceil(q * both.length) - 1] ?? 0
    expect((timeWithin(added, q) ?? 0) / exact, `${q}`).toBeGreaterThan(0.8)
    expect((timeWithin(added, q) ?? 0) / exact, `${q}`).toBeLessThan(1.25)
  }
})

test('nothing was answered: no percentile; missing counts at the end are none', () => {
  expect(timeWithin([], 0.5)).toBeUndefined()
  expect(timeWithin(new Array<number>(timeBuckets).fill(0), 0.5)).toBeUndefined()
  expect(timeWithin([3], 1)).toBe(1)
  expect(timeWithin(countsOf([1e9]), 0.5)).toBe(timeBoundsMs.at(-1))
})

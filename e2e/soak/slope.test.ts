import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { describe, expect, test } from 'vitest'
import { riseOf } from './slope.ts'

const random = seededRandom(7)
/** The sawtooth of a garbage collector: between `held` and twice that. */
const saw = (held: (index: number) => number, count = 300) =>
  Array.from({ length: count }, (_, index) => ({
    atMs: index * 5_000,
    value: held(index) * (1 + ((index * 7) % 10) / 10) + random(),
  }))

describe('a slope', () => {
  test('is not found where memory only goes up and down', () => {
    expect(
      riseOf(
        saw(() => 100),
        'floor',
      )?.least,
    ).toBeLessThan(2)
  })
  test('is found under a collector’s sawtooth that is ten times as high', () => {
    const rise = riseOf(
      saw((index) => 100 + index / 30),
      'floor',
    )
    expect(rise?.least).toBeGreaterThan(8)
    expect(rise?.rise).toBeLessThan(12)
  })
  test('downwards is no rise', () => {
    const rise = riseOf(
      saw((index) => 100 - index / 30),
      'floor',
    )
    expect(rise?.least).toBeLessThan(0)
  })
  test('of a few samples is not judged', () => {
    expect(
      riseOf(
        saw(() => 1, 20),
        'median',
      ),
    ).toBeUndefined()
  })
})

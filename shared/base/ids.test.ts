import { expect, test } from 'vitest'
import { newId } from './ids.ts'

const count = 20_000

test('ids of one moment differ, and each letter of their random part comes as often as any other', () => {
  const ids = new Set(Array.from({ length: count }, () => newId('tun', 1)))
  expect(ids.size).toBe(count)
  const counts = new Map<string, number>()
  for (const id of ids) for (const letter of id.slice(-16)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  expect([...counts.keys()].toSorted().join('')).toBe('0123456789abcdefghjkmnpqrstvwxyz')
  // Ten thousand of each; a standard deviation is a hundred.
  for (const [letter, times] of counts) {
    expect(times, letter).toBeGreaterThan(9_200)
    expect(times, letter).toBeLessThan(10_800)
  }
})

test('ids made later sort later, to the millisecond', () => {
  const ids = [1, 2.9, 1_000, Date.UTC(2026, 0, 1)].map((nowMs) => newId('acc', nowMs))
  expect(ids.toSorted()).toEqual(ids)
})

import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { Budget, takeWindow } from './budget.ts'

describe('budget', () => {
  test('takes all or nothing, at every level', () => {
    const relay = new Budget(100)
    const one = new Budget(80, relay)
    const two = new Budget(80, relay)
    expect(one.take(60)).toBe(true)
    expect(two.take(60)).toBe(false)
    expect([one.usedBytes, two.usedBytes, relay.usedBytes]).toEqual([60, 0, 60])
    one.give(60)
    expect(two.take(60)).toBe(true)
  })

  test('a comfort stops short of the limit, so that a need still finds something', () => {
    const budget = new Budget(100)
    expect(budget.take(76, 0.75)).toBe(false)
    expect(budget.take(75, 0.75)).toBe(true)
    expect(budget.take(1, 0.75)).toBe(false)
    expect(budget.take(25)).toBe(true)
    expect(budget.take(1)).toBe(false)
  })

  test('ten thousand new visitors of one session find a window, and then windows can still grow', () => {
    const budget = new Budget(limits.sessionBufferBytes)
    const windows = new Set<number>()
    for (let visitor = 0; visitor < 10_000; visitor++) windows.add(takeWindow(budget))
    expect([...windows]).toEqual([64 * 1024, 16 * 1024, 4 * 1024])
    expect(budget.take(limits.windowBytesMax, limits.growthShare)).toBe(true)
  })

  test('streams that have grown as far as they may leave room for a thousand new visitors', () => {
    const budget = new Budget(limits.sessionBufferBytes)
    while (budget.take(limits.windowBytesMax, limits.growthShare));
    let visitors = 0
    while (budget.take(limits.windowBytesTight)) visitors++
    expect(visitors).toBeGreaterThanOrEqual(1_000)
  })
})

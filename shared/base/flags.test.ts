import { expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { type FlagState, flagNames, flags, isFlagOn } from './flags.ts'

const flag = 'visitor-http2'
const accounts = Array.from({ length: 4_000 }, (_, n) => `acc_${n}`)
const on = (state: Partial<FlagState>, account = 'acc_1') =>
  isFlagOn(flag, { [flag]: { percent: 0, in: [], out: [], killed: false, ...state } }, account)

test('no flag is older than its day: remove it, or give a reason and a later day', () => {
  const today = new Date(systemClock.now()).toISOString().slice(0, 10)
  for (const name of flagNames) {
    const { removeBy, does } = flags[name]
    expect(new Date(removeBy).toISOString().slice(0, 10), `${name} has a day that exists`).toBe(removeBy)
    expect(removeBy >= today, `${name} was to be removed by ${removeBy}`).toBe(true)
    expect(does).toMatch(/^[A-Z].*\.$/)
  }
})

test('a share is of accounts, is kept whatever is asked in between, and growing it takes nobody out', () => {
  const withIt = (percent: number) => accounts.filter((account) => on({ percent }, account))
  let before: readonly string[] = []
  for (const percent of [0, 0.5, 1, 5, 25, 50, 99, 100]) {
    const now = new Set(withIt(percent))
    expect(before.every((account) => now.has(account))).toBe(true)
    expect(Math.abs(now.size / accounts.length - percent / 100)).toBeLessThan(0.03)
    before = [...now]
  }
  expect(before).toEqual(accounts)
})

test('an account that is left out or taken in is so at every share; a kill wins over all of it', () => {
  expect([on({ percent: 100, out: ['acc_1'] }), on({ percent: 0, in: ['acc_1'] })]).toEqual([false, true])
  expect(on({ in: ['acc_1'], out: ['acc_1'] })).toBe(false)
  expect(on({ percent: 100, in: ['acc_1'], killed: true })).toBe(false)
})

test('a flag that nobody has touched is as the code says, and where the account is unknown it takes everybody', () => {
  expect(isFlagOn(flag, {}, 'acc_1')).toBe(flags[flag].default)
  expect(isFlagOn(flag, { constructor: { percent: 0, in: [], out: [], killed: true } }, 'acc_1')).toBe(true)
  const forAnybody = (percent: number) =>
    isFlagOn(flag, { [flag]: { percent, in: [], out: [], killed: false } }, undefined)
  expect([forAnybody(99), forAnybody(100)]).toEqual([false, true])
})

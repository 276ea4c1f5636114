import { describe, expect, test } from 'vitest'
import { limits } from '../protocol/limits.ts'
import { seededRandom } from '../testing/wire-pair.ts'
import { Budget, firstWindow } from './budget.ts'

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

  test('an optional use stops short of the limit, so that a necessary one still finds room', () => {
    const budget = new Budget(100)
    expect([budget.hasRoom(76, 0.75), budget.hasRoom(75, 0.75)]).toEqual([false, true])
    budget.hold(75)
    expect([budget.hasRoom(1, 0.75), budget.take(25), budget.take(1)]).toEqual([false, true, false])
  })

  test('the more is held the smaller is the first window, and with everything held there is none', () => {
    const budget = new Budget(100)
    const windows = [0, 49, 1, 25, 24].map((bytes) => {
      budget.hold(bytes)
      return firstWindow(budget)
    })
    const { windowBytesInitial, windowBytesTight, windowBytesLeast } = limits
    const [large, tight, least] = [windowBytesInitial, windowBytesTight, windowBytesLeast]
    expect(windows).toEqual([large, large, tight, least, least])
    budget.hold(1)
    expect(() => firstWindow(budget)).toThrow('PT-3015')
  })
})

/** A relay with 100 bytes; each account yields what it must. */
function relay(names: string[]) {
  const yielded: string[] = []
  const all = new Budget(100, undefined, { isFair: true })
  const accounts = names.map((name) => {
    const account = new Budget(100, all)
    const session = new Budget(100, account, {
      relieve: (bytes) => {
        yielded.push(name)
        session.give(Math.min(session.usedBytes, Math.ceil(bytes)))
      },
    })
    return session
  })
  return { all, accounts, yielded }
}

describe('fair shares of a budget', () => {
  test('one account may hold half of it, and the next finds room', () => {
    const { accounts, yielded } = relay(['ada', 'bob'])
    const [ada, bob] = accounts as [Budget, Budget]
    while (ada.take(1));
    expect(ada.usedBytes).toBe(50)
    expect([firstWindow(bob), bob.hasRoom(12, 0.5)]).toEqual([limits.windowBytesInitial, true])
    expect(yielded).toEqual([])
  })

  test('the limit always holds: the largest holder yields, and not the latest', () => {
    const { all, accounts, yielded } = relay(['ada', 'bob', 'eve'])
    const [ada, bob, eve] = accounts as [Budget, Budget, Budget]
    for (let n = 0; n < 200; n++) eve.hold(1)
    expect(eve.usedBytes).toBeLessThanOrEqual(50)
    expect(new Set(yielded)).toEqual(new Set(['eve']))
    for (let n = 0; n < 20; n++) for (const one of [ada, bob]) one.hold(1)
    expect([ada.usedBytes, bob.usedBytes]).toEqual([20, 20])
    expect(new Set(yielded)).toEqual(new Set(['eve']))
    expect(all.usedBytes).toBeLessThanOrEqual(100)
  })

  test('many that hold all they can leave the next less than a hundredth', () => {
    const names = Array.from({ length: 12 }, (_, n) => `account ${n}`)
    const { all, accounts } = relay([...names, 'late'])
    const late = accounts.at(-1) as Budget
    for (const hog of accounts.slice(0, -1)) while (hog.take(0.1));
    expect(all.usedBytes).toBeLessThanOrEqual(100)
    while (late.take(0.1));
    expect(late.usedBytes).toBeGreaterThan(100 / names.length / 2)
  })

  test('random tenants: the sum is kept, and a holder of less than a fair share never yields', () => {
    const random = seededRandom(7)
    const { all, accounts } = relay(Array.from({ length: 8 }, (_, n) => `${n}`))
    for (let n = 0; n < 20_000; n++) {
      const one = accounts[Math.floor(random() * accounts.length)] as Budget
      const before = accounts.map(({ usedBytes }) => usedBytes)
      if (random() < 0.3) one.give(one.usedBytes * random())
      else one.hold(random() * 5)
      expect(all.usedBytes).toBeLessThanOrEqual(100)
      accounts.forEach((other, at) => {
        const had = before[at] as number
        if (other !== one && other.usedBytes < had) expect(had).toBeGreaterThan(100 / 9)
      })
    }
  })
})

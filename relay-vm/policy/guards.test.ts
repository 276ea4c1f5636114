import { silentLog } from '@porttunneler/shared/base/log'
import { compileMatcher } from '@porttunneler/shared/base/networks'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HandshakeBudget } from './handshakes.ts'
import { makePool } from './pools.ts'
import { Shedding } from './shedding.ts'

describe('handshakes', () => {
  const make = (changes = {}) => {
    const clock = new FakeClock()
    const plenty = { perMinute: 60_000, burst: 1_000 }
    const isExempt = compileMatcher(['127.0.0.0/8'])
    const limits = { running: 100, all: plenty, source: plenty, isExempt, ...changes }
    return { clock, budget: new HandshakeBudget(clock, limits, 'visitorHandshakes') }
  }
  const begins = (budget: HandshakeBudget, address: string, count: number) =>
    Array.from({ length: count }, () => budget.begin(address, () => {})).filter(Boolean).length

  test('only a limited number runs at a time; one that ended makes room once, however often it reports that', () => {
    const { budget, clock } = make({ running: 2 })
    const dropped: string[] = []
    const begin = (name: string) => budget.begin('192.0.2.1', () => dropped.push(name))
    const ends = [begin('first'), begin('second')]
    ends[1]?.()
    ends[1]?.()
    expect([begin('third'), begin('too many')].map(Boolean)).toEqual([true, false])
    expect([budget.running, dropped], 'those who began get done').toEqual([2, []])
    clock.advance(3_000)
    begin('fourth')
    expect(budget.running).toBe(2)
    expect(dropped, 'one that has not finished by now does not mean it').toEqual(['first'])
  })

  test('one network that holds all places yields to another', () => {
    const { budget, clock } = make({ running: 3 })
    const dropped: string[] = []
    for (const name of ['a', 'b', 'c']) budget.begin('192.0.2.1', () => dropped.push(name))
    budget.begin('198.51.100.1', () => dropped.push('guest'))
    for (const name of ['d', 'e']) budget.begin('192.0.2.2', () => dropped.push(name))
    expect(dropped).toEqual(['a', 'b'])
    clock.advance(3_000)
    budget.begin('192.0.2.2', () => dropped.push('f'))
    expect(dropped).toEqual(['a', 'b', 'd'])
  })

  test('one network is held to its rate and takes nothing from others', () => {
    const { budget } = make({ source: { perMinute: 60, burst: 3 }, all: { perMinute: 60, burst: 5 } })
    expect(begins(budget, '192.0.2.1', 50), 'a quarter is kept for its neighbours').toBe(2)
    expect(begins(budget, '192.0.2.200', 50), 'of the same network').toBe(1)
    expect(begins(budget, '198.51.100.1', 50)).toBe(1)
    expect(begins(budget, '203.0.113.1', 50)).toBe(1)
  })

  test('all together are held to their rate, exempt ones too, and it refills with time', () => {
    const { budget, clock } = make({ all: { perMinute: 60, burst: 5 } })
    expect(begins(budget, '127.0.0.1', 50), 'a quarter is kept for others').toBe(3)
    expect(begins(budget, '192.0.2.1', 1) + begins(budget, '198.51.100.1', 1)).toBe(2)
    expect(begins(budget, '203.0.113.1', 1)).toBe(0)
    clock.advance(2_000)
    expect(begins(budget, '203.0.113.1', 1) + begins(budget, '203.0.114.1', 1)).toBe(2)
  })
})

describe('strangers', () => {
  test('when one more comes than may wait, the oldest yields; one that has spoken stays', () => {
    const strangers = makePool<{ name: string }>('silent', 3)
    const dropped: string[] = []
    const add = (name: string) => {
      const socket = { name }
      strangers.add(socket, ['192.0.2.0/24', '192.0.2.1'], () => dropped.push(name))
      return socket
    }
    const first = add('first')
    for (const name of ['b', 'c']) add(name)
    strangers.remove(first)
    for (const name of ['d', 'e', 'f']) add(name)
    expect(dropped).toEqual(['b', 'c'])
    strangers.shed(strangers.size)
    expect([dropped, strangers.size]).toEqual([['b', 'c', 'd', 'e', 'f'], 0])
  })
})

describe('shedding', () => {
  const make = (visitors = 1_000) => {
    const state = { used: 0, heap: 0, visitors, strangers: 5, most: Number.POSITIVE_INFINITY }
    const shedding = new Shedding({
      memories: [
        { name: 'resident', limitBytes: 1_000, usedBytes: () => state.used },
        { name: 'heap', limitBytes: 100, usedBytes: () => state.heap },
      ],
      log: silentLog,
      visitors: () => state.visitors,
      shedStrangers: () => {
        state.strangers = 0
      },
      shedIdle: (count) => {
        const shed = Math.min(count, state.most)
        state.visitors -= shed
        return shed
      },
    })
    return { shedding, state }
  }

  test('begins at the limit, and ends only a tenth below it', () => {
    const { shedding, state } = make()
    const at = (used: number) => {
      state.used = used
      shedding.look()
      return shedding.isShort
    }
    expect([999, 1_000, 999, 900, 899, 999, 1_001].map(at)).toEqual([
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ])
  })

  test('begins at V8’s limit too, though the machine has enough', () => {
    const { shedding, state } = make()
    const at = (heap: number) => {
      state.heap = heap
      shedding.look()
      return shedding.isShort
    }
    expect([99, 100, 90, 89].map(at)).toEqual([false, true, true, false])
  })

  test('strangers go first and at once, idle visitors a fiftieth at a time', () => {
    const { shedding, state } = make()
    state.used = 1_000
    shedding.look()
    expect([state.strangers, state.visitors]).toEqual([0, 980])
    shedding.look()
    expect(state.visitors).toBe(960)
  })

  test('memory that does not come back costs at most half of the visitors', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 200 }), (visitors, most) => {
        const { shedding, state } = make(visitors)
        Object.assign(state, { used: 2_000, most })
        for (let second = 0; second < 500; second++) shedding.look()
        expect(state.visitors).toBeGreaterThanOrEqual(Math.floor(visitors / 2))
        expect(shedding.isShort).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})

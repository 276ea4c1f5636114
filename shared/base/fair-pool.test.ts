import { describe, expect, test } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { seededRandom } from '../testing/wire-pair.ts'
import { FairPool, type Yields } from './fair-pool.ts'

/** A pool whose members are plain names. */
function make(limit: number, yields: Yields = 'newest') {
  const pool = new FairPool<string>({ limit, yields })
  const dropped: string[] = []
  const add = (name: string, path: string[], limits?: number[]) =>
    pool.add(name, path, () => dropped.push(name), limits)
  return { pool, dropped, add }
}

describe('a fair pool', () => {
  test('the largest holder yields its newest to smaller ones, and never takes a place from them', () => {
    const { pool, dropped, add } = make(4)
    for (const name of ['a1', 'a2', 'a3', 'a4']) add(name, ['a'])
    expect(add('a5', ['a']), 'its first ones are in').toBe(0)
    expect(add('b1', ['b'])).toBeUndefined()
    expect(add('b2', ['b'])).toBeUndefined()
    expect(dropped).toEqual(['a4', 'a3'])
    expect([add('b3', ['b']), add('a3', ['a'])], 'they are equal').toEqual([0, 0])
    pool.remove('b1')
    expect(add('a3', ['a']), 'room is for everybody').toBeUndefined()
  })

  test('where the oldest yields, newcomers of the largest holder replace its own members', () => {
    const { dropped, add } = make(3, 'oldest')
    for (const name of ['a1', 'a2', 'b1']) add(name, [name.slice(0, 1)])
    add('a3', ['a'])
    add('a4', ['a'])
    add('c1', ['c'])
    expect(dropped).toEqual(['a1', 'a2', 'a3'])
  })

  test('a patient pool ends none that has just begun for an equal, so that in a rush those who began get done', () => {
    const clock = new FakeClock()
    const pool = new FairPool<number>({ limit: 8, yields: 'oldest', patience: { clock, ms: 3_000 } })
    const begun = new Map<number, number>()
    let done = 0
    // A hundred a tick want in, each from an address of its own. The pool does four at a time, which takes two ticks.
    for (let tick = 0; tick < 20; tick++) {
      for (const [member] of [...begun].filter(([, began]) => began < tick - 1).slice(0, 4)) {
        begun.delete(member)
        pool.remove(member)
        done += 1
      }
      for (let member = tick * 100; member < tick * 100 + 100; member++) {
        const isIn = pool.add(member, [`${member}`], () => begun.delete(member)) === undefined
        if (isIn) begun.set(member, tick)
      }
      clock.advance(100)
    }
    expect(done, 'as many as it can do').toBe(18 * 4)
    clock.advance(3_000)
    expect(
      pool.add(-1, ['late'], () => {}),
      'those who never get done make way',
    ).toBeUndefined()
  })

  test('shares are per level: a greedy address takes nothing from others, nor does a greedy network', () => {
    const { pool, dropped, add } = make(10)
    for (let n = 0; n < 9; n++) add(`flood ${n}`, ['net 1', 'bad'])
    add('neighbour', ['net 1', 'good'])
    add('neighbour again', ['net 1', 'good'])
    expect(dropped).toEqual(['flood 8'])
    for (let n = 0; n < 5; n++) add(`other ${n}`, ['net 2', `${n}`])
    expect([pool.count(['net 1']), pool.count(['net 2'])]).toEqual([5, 5])
    expect(dropped.every((name) => name.startsWith('flood'))).toBe(true)
  })

  test('when a holder is at its own limit, one of its own members yields', () => {
    const { dropped, add } = make(100)
    const limits = [10, 4]
    for (let n = 0; n < 4; n++) add(`${n}`, ['account', 'tunnel', 'bad'], limits)
    expect(add('4', ['account', 'tunnel', 'bad'], limits)).toBe(2)
    expect(add('guest', ['account', 'tunnel', 'good'], limits)).toBeUndefined()
    expect(dropped).toEqual(['3'])
    for (let n = 0; n < 6; n++) add(`second ${n}`, ['account', 'tunnel 2', 'bad'])
    expect(add('too many', ['account', 'tunnel 2', 'bad'], limits)).toBe(2)
    expect(add('of the account', ['account', 'tunnel 3', 'x'], limits)).toBeUndefined()
    expect(dropped, 'the larger tunnel yielded').toEqual(['3', 'second 5'])
  })

  test('adding and removing a key costs the same after a hundred thousand times', () => {
    const { pool, add } = make(100_000)
    for (let n = 0; n < 20_000; n++) add(`${n}`, [`net ${n}`, `${n}`])
    const round = (count: number) => {
      const begun = process.cpuUsage()
      for (let n = 0; n < count; n++) {
        add('guest', ['guest net', 'guest'])
        pool.remove('guest')
      }
      const { user, system } = process.cpuUsage(begun)
      return (user + system) / count
    }
    round(2_000)
    const early = round(5_000)
    for (let n = 0; n < 4; n++) round(5_000)
    expect(round(5_000), 'µs of CPU').toBeLessThan(Math.max(5 * early, 50))
  })

  test('against a plain count: sizes are right, the limit holds, and only larger holders yield', () => {
    const random = seededRandom(11)
    const of = new Map<string, string>()
    const count = (key: string) => [...of.values()].filter((path) => path.startsWith(key)).length
    const pool = new FairPool<string>({ limit: 30, yields: 'newest' })
    let newcomer: string[] = []
    for (let n = 0; n < 5_000; n++) {
      const path = [`${Math.floor(random() * 4)}`, `${Math.floor(random() * random() * 5)}`]
      const key = `${path.join('.')}.`
      newcomer = path
      if (random() < 0.3) {
        const gone = [...of.keys()][Math.floor(random() * of.size)] ?? ''
        of.delete(gone)
        pool.remove(gone)
      } else {
        const name = `${n}`
        const drop = () => {
          const [account = '', agent = ''] = (of.get(name) ?? '').split('.')
          const theirs = `${newcomer[0]}.`
          if (account === newcomer[0])
            expect(count(`${account}.${agent}.`)).toBeGreaterThan(count(`${newcomer.join('.')}.`) + 1)
          else expect(count(`${account}.`)).toBeGreaterThan(count(theirs) + 1)
          of.delete(name)
        }
        if (pool.add(name, path, drop) === undefined) of.set(name, key)
      }
      expect(pool.size).toBe(of.size)
      expect(pool.count(path)).toBe(count(key))
      expect(pool.size).toBeLessThanOrEqual(30)
    }
  })
})

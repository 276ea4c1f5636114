/**
 * Late reports of usage against roll-ups of the month, in every order that the calls to the store can take: whichever
 * comes first, the next roll-up knows all that was carried.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { newId } from '../base/ids.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { deletedTunnels } from './documents.ts'
import { plans } from './plans.ts'
import type { Store } from './platform.ts'
import { readTransfer } from './transfer.ts'
import { storeUsage } from './usage.ts'

const hour = 3_600_000
const minute = 60_000
const limits = { ...plans.free, transferBytesMonth: 1_000_000 }
const start = Date.UTC(2026, 0, 3, 6)

let t: TestControl
let accounts = 0
beforeEach(() => {
  t = makeTestControl()
})
afterEach(() => t.close())

/** An account of its own, with its own clock at 06:00, whose usage comes as a test wants. */
async function makeAccount() {
  const account = newId('acc', ++accounts)
  const tunnel = newId('tun', accounts)
  const clock = new FakeClock(start)
  const ttl = new Date(start + 1_000 * hour)
  await t.control.store.set(deletedTunnels.ref(tunnel), { account, cell: 'home', deletedAt: start, ttl })
  const at = (store: Store, now = clock) => ({ ...t.control, clock: now, store })
  return {
    clock,
    report: (boot: string, counts: { hour: number; in: number }, store = t.control.store, now = clock) => {
      const row = { tunnel, account, boot, ...counts, out: 0, opened: 1, refused: 0 }
      return storeUsage(at(store, now), 'home', [row])
    },
    rollUp: (store = t.control.store) => readTransfer(at(store), { account, limits }),
    /** As whoever asks next is told, and again when the hours are long complete. */
    async laterFigures() {
      const figures: (number | undefined)[] = []
      for (const ms of [5 * minute, 5 * minute, 30 * hour]) {
        clock.advance(ms)
        figures.push((await this.rollUp())?.usedBytes)
      }
      return figures
    },
  }
}
type Account = Awaited<ReturnType<typeof makeAccount>>
type Act = (store: Store) => Promise<unknown>

/** Stops before each call to its store until `step` lets it do that one. */
class Actor {
  #resume = Promise.withResolvers<void>()
  #stopped = Promise.withResolvers<void>()
  isDone = false

  constructor(act: Act) {
    const pause = async () => {
      this.#resume = Promise.withResolvers()
      this.#stopped.resolve()
      await this.#resume.promise
    }
    const end = () => {
      this.isDone = true
    }
    act(pausing(t.control.store, pause)).then(end).then(this.#settle, this.#fail)
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  async step(): Promise<void> {
    this.#stopped = Promise.withResolvers()
    this.#resume.resolve()
    await this.#stopped.promise
  }

  readonly #settle = () => this.#stopped.resolve()
  readonly #fail = (error: unknown) => this.#stopped.reject(error)
}

/** `getAll` tells whose tunnels they are, and nothing here changes that. */
const paused: readonly (keyof Store)[] = ['get', 'query', 'change', 'transact']

function pausing(store: Store, pause: () => Promise<void>): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const call = target[name].bind(target) as (...given: unknown[]) => Promise<unknown>
      if (!paused.includes(name)) return call
      return async (...given: unknown[]) => {
        await pause()
        return call(...given)
      }
    },
  })
}

/** Has the acts take turns, as `choose` says. */
async function interleave(acts: readonly Act[], choose: (of: number) => number): Promise<string> {
  const order: number[] = []
  const actors = acts.map((act) => new Actor(act))
  await Promise.all(actors.map(({ stopped }) => stopped))
  for (;;) {
    const left = actors.filter(({ isDone }) => !isDone)
    const next = left[left.length > 1 ? choose(left.length) : 0]
    if (!next) return order.join('')
    order.push(actors.indexOf(next))
    await next.step()
  }
}

/** Runs until each choice at each place was taken once, depth first. @returns what the runs returned */
async function everyChoice<T>(run: (choose: (of: number) => number) => Promise<T>): Promise<readonly T[]> {
  const path: { taken: number; readonly of: number }[] = []
  const results: T[] = []
  do {
    let depth = 0
    const choose = (of: number) => {
      const place = path[depth] ?? { taken: 0, of }
      path[depth++] = place
      return place.taken
    }
    results.push(await run(choose))
    while (path.length > 0 && (path.at(-1)?.taken ?? 0) + 1 === path.at(-1)?.of) path.pop()
    const last = path.at(-1)
    if (last) last.taken++
  } while (path.length > 0)
  return results
}

/** What a roll-up that begins at 12:10 finds, where 06:00 is late. */
const befores = {
  'no roll-up yet': async () => {},
  'hours that are still open': async (one: Account) => {
    await one.rollUp()
    one.clock.advance(10 * minute)
    await one.rollUp()
  },
  'hours that are closed': async (one: Account) => {
    await one.rollUp()
    one.clock.advance(6 * hour)
    await one.rollUp()
  },
}

async function makeLate(before: (one: Account) => Promise<void>): Promise<Account> {
  const one = await makeAccount()
  await one.report('first', { hour: start, in: 1_000 })
  await before(one)
  one.clock.advance(start + 6 * hour + 10 * minute - one.clock.now())
  await one.report('first', { hour: start + 6 * hour, in: 200 })
  return one
}

describe.each(Object.entries(befores))('late usage, with %s', (_, before) => {
  test('is never missed, in whatever order a report and two roll-ups take their turns', async () => {
    const runs = await everyChoice(async (choose) => {
      const one = await makeLate(before)
      const late: Act = (store) => one.report('late', { hour: start, in: 30 }, store)
      const order = await interleave([late, one.rollUp, one.rollUp], choose)
      return { order, figures: await one.laterFigures() }
    })
    expect(runs.length).toBeGreaterThan(100)
    expect(runs.filter(({ figures }) => figures.some((bytes) => bytes !== 1_230))).toEqual([])
  })

  test('is never missed, in whatever order two reports and a roll-up take their turns', async () => {
    const runs = await everyChoice(async (choose) => {
      const one = await makeLate(before)
      const early: Act = (store) => one.report('late', { hour: start + hour, in: 30 }, store)
      const earlier: Act = (store) => one.report('later', { hour: start, in: 4 }, store)
      const order = await interleave([early, earlier, one.rollUp], choose)
      return { order, figures: await one.laterFigures() }
    })
    expect(runs.length).toBeGreaterThan(100)
    expect(runs.filter(({ figures }) => figures.some((bytes) => bytes !== 1_234))).toEqual([])
  })
})

test.each([
  ['just as the hour is closed', 0],
  ['through an instance whose clock is behind', -minute],
  ['through an instance whose clock is ahead', minute],
])('usage of the hour before last is not missed when it comes %s', async (_, aheadMs) => {
  const one = await makeAccount()
  one.clock.advance(2 * hour)
  await one.rollUp()
  one.clock.advance(5 * minute)
  await one.report('first', { hour: start + 2 * hour, in: 200 })
  await one.rollUp()
  const now = new FakeClock(start + 2 * hour + aheadMs)
  await one.report('late', { hour: start, in: 30 }, t.control.store, now)
  expect(await one.laterFigures()).toEqual([230, 230, 230])
})

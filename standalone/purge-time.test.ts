import type { Store } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSqliteStore } from './platform/store.sqlite.ts'
import { PurgeTime } from './purge-time.ts'

const hour = 3_600_000
const day = 24 * hour
const years = 20 * 365 * day

describe('the time up to which documents expire', () => {
  let store: Store
  let clock: FakeClock
  beforeEach(() => {
    store = openSqliteStore(':memory:', { queries: queryTable })
    clock = new FakeClock()
  })
  afterEach(() => store.close())

  test('is that of the clock, also after a night in which the server did not run', async () => {
    const time = new PurgeTime(store, clock)
    expect(await time.read()).toBe(clock.now())
    clock.advance(3 * day)
    expect(await time.read()).toBe(clock.now())
    clock.jump(12 * hour)
    expect(await new PurgeTime(store, clock).read()).toBe(clock.now())
  })

  test('does not follow a clock that leaps ahead, while it runs or over a restart, and is right again with it', async () => {
    const time = new PurgeTime(store, clock)
    const before = await time.read()
    clock.jump(years)
    for (const each of [time, new PurgeTime(store, clock)]) {
      expect(await each.read()).toBe(before)
      clock.advance(hour)
      expect(await each.read()).toBeLessThanOrEqual(before + 2 * hour)
    }
    clock.jump(-years)
    expect(await time.read()).toBe(clock.now())
  })

  test('follows one that stays ahead after a day, as where a server was switched off for long', async () => {
    await new PurgeTime(store, clock).read()
    clock.jump(90 * day)
    const time = new PurgeTime(store, clock)
    await time.read()
    clock.advance(day)
    expect(await time.read()).toBe(clock.now())
  })

  test('a clock that was set back is believed at once: less is removed then', async () => {
    const time = new PurgeTime(store, clock)
    await time.read()
    clock.jump(-years)
    expect(await time.read()).toBe(clock.now())
  })
})

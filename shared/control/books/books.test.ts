/** Periods of usage as bookkeeping needs them: whole hours, closed once, and whatever comes later a correction. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../../standalone/testing/control.ts'
import { newId } from '../../base/ids.ts'
import type { Caller } from '../caller.ts'
import { accounts, deletedTunnels } from '../documents.ts'
import { queries } from '../query-table.ts'
import { readTransfer } from '../transfer.ts'
import { monthsOfBefore, usageHours, usagePeriods } from '../usage-documents.ts'
import { readUsage } from '../usage-sums.ts'
import { hourMs as hour, spanAround } from './calendar.ts'

const day = 24 * hour
const { boot } = quietSync.boot
const tunnel = newId('tun', 1)
const january = Date.UTC(2026, 0)
const february = Date.UTC(2026, 1)

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller()
  const ttl = new Date(t.clock.now() + 1_000 * day)
  const gone = { account: ada.account, cell: 'home', deletedAt: 0, ttl }
  await t.control.store.set(deletedTunnels.ref(tunnel), gone)
})
afterEach(() => t.close())

const report = (at: number, bytes: number, of = boot) => {
  const row = {
    tunnel,
    account: ada.account,
    boot: of,
    hour: Math.floor(at / hour) * hour,
    opened: 1,
    refused: 0,
  }
  return t.sync({ usage: [{ ...row, in: Math.floor(bytes / 4), out: bytes - Math.floor(bytes / 4) }] })
}
/** As a worker does it, whenever something is due, up to this time. */
async function until(ms: number) {
  t.clock.advance(Math.max(0, ms - t.clock.now()))
  await t.runJobs()
}
const periods = async () => {
  const where = { account: ada.account }
  const { items } = await t.control.store.query(queries.periodsOfAccount, { where, limit: 20 })
  return items.map(({ data }) => data).reverse()
}

describe('periods', () => {
  test('a month counts until two days after its end: January keeps the bytes of its last hours', async () => {
    await until(february - hour)
    await report(february - hour, 1_000)
    await until(february + 30 * 60_000)
    await report(february - hour, 9_000_000)
    await report(february, 5)
    await until(february + 90 * 60_000)
    expect(await periods()).toMatchObject([
      { start: january, end: february, state: 'closing', bytes: 9_000_000, corrections: 0 },
      { start: february, end: Date.UTC(2026, 2), state: 'open', bytes: 5, countedTo: february + hour },
    ])
    await report(february - 5 * hour, 70, 'late'.padStart(26, '0'))
    await t.runJobs()
    await until(february + 2 * day + 2 * hour)
    expect(await periods()).toMatchObject([{ state: 'closed', bytes: 9_000_070 }, { corrections: 0 }])
  })

  test('what comes after the closing is a correction in the open period, once, and the closed one never changes', async () => {
    await report(t.clock.now(), 1_000)
    const first = t.clock.now()
    await until(february + 2 * day + 2 * hour)
    const [closed] = await periods()
    expect(closed).toMatchObject({ state: 'closed', bytes: 1_000 })
    for (const bytes of [400, 400, 700]) {
      await report(first, bytes, 'late'.padStart(26, '0'))
      await t.runJobs()
    }
    await report(first, 1_050)
    await t.runJobs()
    const [then, now] = await periods()
    expect(then).toMatchObject({ state: 'closed', bytes: 1_000, hours: closed?.hours, corrected: 750 })
    expect(now).toMatchObject({ state: 'open', start: february, bytes: 0, corrections: 750 })
  })

  test('what comes more than 35 days late is refused with a code and counts nowhere', async () => {
    const first = t.clock.now()
    await until(first + 36 * day)
    const row = { tunnel, account: ada.account, boot, opened: 1, refused: 0, in: 1, out: 1 }
    const answer = await t.sync({ usage: [{ ...row, hour: Math.floor(first / hour) * hour }], report: 'r' })
    expect(answer.refused).toEqual([{ index: 0, code: 'PT-5015' }])
    expect(await periods()).toEqual([])
  })

  test('another plan begins a period of its own with the next full hour', async () => {
    await report(t.clock.now(), 1_000)
    await until(t.clock.now() + 2 * hour)
    await t.control.store.update(accounts.ref(ada.account), { plan: 'team' })
    await report(t.clock.now(), 20)
    await until(t.clock.now() + 2 * hour)
    const [before] = await periods()
    await report(t.clock.now() + hour, 3)
    await until(t.clock.now() + 3 * hour)
    const [first, second] = await periods()
    expect(first).toMatchObject({ plan: 'pro', state: 'closing', bytes: 1_020, end: before?.end })
    expect(second).toMatchObject({ plan: 'team', start: first?.end, end: february, bytes: 3, state: 'open' })
  })

  test('a row that a roll-up has not seen is counted by the job that it asks for, without waiting for the hour', async () => {
    const first = t.clock.now()
    await report(first, 100)
    await until(first + 3 * hour)
    expect(await periods()).toMatchObject([{ bytes: 100 }])
    await report(first, 11, 'late'.padStart(26, '0'))
    await t.runJobs()
    expect(await periods()).toMatchObject([{ bytes: 111 }])
  })

  test('months of releases up to 0.1 become periods, and what their rows say is not added to them', async () => {
    const at = Math.floor(t.clock.now() / hour) * hour
    const ttl = new Date(at + 400 * day)
    const old = { account: ada.account, warned: 80, rolledAt: at, ttl }
    const november = Date.UTC(2025, 10)
    await t.control.store.set(monthsOfBefore.ref(`${ada.account}:2025-11`), {
      ...old,
      start: november,
      hours: { [november]: 77 },
      bytes: 77,
      openFrom: november + hour,
    })
    await t.control.store.set(monthsOfBefore.ref(`${ada.account}:2026-01`), {
      ...old,
      start: january,
      hours: { [at]: 500 },
      bytes: 500,
      openFrom: at,
    })
    expect(await readTransfer(t.control, ada)).toMatchObject({ usedBytes: 500 })
    await report(at, 600)
    await until(at + 2 * hour)
    expect(await periods()).toMatchObject([
      { start: november, state: 'closed', bytes: 77, warned: 80 },
      { start: january, state: 'open', bytes: 600, warned: 80, plan: 'pro' },
    ])
    expect(await t.control.store.get(monthsOfBefore.ref(`${ada.account}:2026-01`))).toBeUndefined()
  })

  test.each([
    ['the calendar month', '2026-01-31T23:59', undefined, '2026-01-01T00', '2026-02-01T00'],
    ['the day of the anchor', '2026-03-20T08:00', '2025-12-17T09:41', '2026-03-17T09', '2026-04-17T09'],
    ['before its hour', '2026-03-17T08:59', '2025-12-17T09:41', '2026-02-17T09', '2026-03-17T09'],
    [
      'the last day of a short month',
      '2026-02-28T12:00',
      '2025-12-31T05:00',
      '2026-02-28T05',
      '2026-03-31T05',
    ],
  ])('a period is around its time: %s', (_, at, anchor, start, end) => {
    const ms = (text: string) => Date.parse(`${text}${text.length === 13 ? ':00' : ''}:00Z`)
    const span = spanAround(ms(at), anchor === undefined ? undefined : ms(anchor))
    expect(span).toEqual({ start: ms(start), end: ms(end) })
  })
})

describe('usage in steps', () => {
  const asked = (changes: Parameters<typeof readUsage>[2]) => readUsage(t.of(ada), ada, changes)

  test('hours and days come from periods and months when the rows are gone, and end with the rows of now', async () => {
    const first = Math.floor(t.clock.now() / hour) * hour
    await report(first, 100)
    for (let at = first + day; at < first + 4 * day; at += day) await until(at)
    for (const { ref } of (await t.control.store.query(queries.usageByHour, { where: {}, limit: 9 })).items)
      await t.control.store.delete(usageHours.ref(ref.id))
    await report(t.clock.now(), 8)
    const span = { from: first, to: t.clock.now() }
    const today = Math.floor(t.clock.now() / day) * day
    for (const of of [{}, { tunnel }]) {
      const hours = await asked({ ...span, step: 'hour', ...of })
      expect(hours.series).toMatchObject([
        { at: first, in: 25, out: 75, opened: 1 },
        { at: Math.floor(t.clock.now() / hour) * hour, in: 2, out: 6 },
      ])
      const days = await asked({ ...span, step: 'day', ...of })
      expect(days.series?.map(({ at }) => at)).toEqual([Math.floor(first / day) * day, today])
      expect(days.total).toMatchObject({ in: 27, out: 81, opened: 2 })
    }
  })

  test('a year is asked for by day, a span that is too long for its step is refused', async () => {
    const to = t.clock.now()
    expect((await asked({ from: to - 390 * day, to, step: 'day' })).series).toEqual([])
    for (const [step, days] of [
      ['minute', 2],
      ['hour', 94],
      ['day', 401],
    ] as const)
      await expect(asked({ from: to - days * day, to, step })).rejects.toMatchObject({ key: 'api.invalid' })
  })

  test('a bound key sees its tunnels alone, in every step', async () => {
    await report(t.clock.now(), 100)
    await until(t.clock.now() + 2 * hour)
    const bound: Caller = { ...ada, tunnels: new Set(['web']) }
    const span = { from: t.clock.now() - 3 * hour, to: t.clock.now() }
    for (const step of [undefined, 'minute', 'hour', 'day'] as const)
      for (const of of [{}, { tunnel }])
        expect((await readUsage(t.of(ada), bound, { ...span, step, ...of })).total.in).toBe(0)
  })

  test('periods keep their place in the store of the version before: another id in the same collection', async () => {
    await report(t.clock.now(), 100)
    await until(t.clock.now() + 2 * hour)
    expect(await t.control.store.get(usagePeriods.ref(`${ada.account}:${january}`))).toBeDefined()
  })
})

/** Periods of usage as bookkeeping needs them: whole hours, closed once, and everything later a correction. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../../standalone/testing/control.ts'
import { answerShape } from '../../api/schemas/relays.ts'
import { newId } from '../../base/ids.ts'
import { packCounts } from '../../base/packed-counts.ts'
import { countingStore } from '../../testing/counting-store.ts'
import type { Caller } from '../caller.ts'
import { controlOf } from '../control.ts'
import { accounts, deletedTunnels } from '../documents.ts'
import { runAct } from '../operator/acts.ts'
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
  // Older accounts have no anchor: their periods are calendar months.
  await t.control.store.change(accounts.ref(ada.account), (account) => {
    if (!account) throw new Error('no account')
    const { periodAnchor: _, ...before } = account
    return before
  })
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
/** Works like a worker until this time, whenever something is due. */
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

  test('usage after the closing is one correction in the open period, and the closed one never changes', async () => {
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

  test('usage more than 35 days late is refused with a code and counts nowhere', async () => {
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

  test('months of a new account begin on its own day; another plan restarts them', async () => {
    const office = { control: t.control, enrolment: t.relayIdentity }
    const given = { act: 'accounts.plan', operator: 'grace' } as const
    t.clock.advance(3 * day)
    const eve = await t.caller('eve@example.com')
    const began = t.clock.now()
    const hourOf = (ms: number) => Math.floor(ms / hour) * hour
    const monthLater = spanAround(began, began).end
    expect(await readTransfer(t.control, eve)).toMatchObject({ from: hourOf(began), to: monthLater })
    await t.control.store.update(deletedTunnels.ref(tunnel), { account: eve.account })
    const carried = async (bytes: number) => {
      const row = { tunnel, account: eve.account, boot, hour: hourOf(t.clock.now()), opened: 1, refused: 0 }
      await t.sync({ usage: [{ ...row, in: 0, out: bytes }] })
      await until(t.clock.now() + 2 * hour)
    }
    const ofEve = async () => {
      const { items } = await t.control.store.query(queries.periodsOfAccount, {
        where: { account: eve.account },
        limit: 9,
      })
      return items.map(({ data }) => data).reverse()
    }
    await carried(10)
    expect(await ofEve()).toMatchObject([{ start: hourOf(began), end: monthLater, bytes: 10 }])
    await until(began + 9 * day)
    // The same plan again restarts nothing.
    await runAct(office, { ...given, input: { id: eve.account, plan: 'pro' } })
    await carried(1)
    expect(await ofEve()).toMatchObject([{ bytes: 11, end: monthLater }])
    const changed = t.clock.now()
    await runAct(office, { ...given, input: { id: eve.account, plan: 'team' } })
    await carried(2)
    t.clock.advance(hour)
    await carried(3)
    const [before, after] = await ofEve()
    expect(before).toMatchObject({ plan: 'pro', bytes: 13, state: 'closing' })
    expect(after).toMatchObject({
      plan: 'team',
      start: before?.end,
      bytes: 3,
      end: spanAround(changed, changed).end,
    })
  })

  test('a month of a release up to 0.1 that counted a new account too is not added to its own periods', async () => {
    t.clock.advance(3 * day)
    const at = Math.floor(t.clock.now() / hour) * hour
    await t.control.store.update(accounts.ref(ada.account), { periodAnchor: at })
    await report(at, 600)
    await t.control.store.set(monthsOfBefore.ref(`${ada.account}:2026-01`), {
      ...{ account: ada.account, warned: 0, rolledAt: at, ttl: new Date(at + 400 * day) },
      ...{ start: january, hours: { [at - hour]: 70, [at]: 600 }, bytes: 670, openFrom: at },
    })
    await until(at + 2 * hour)
    expect(await periods()).toMatchObject([
      { start: january, bytes: 70 },
      { start: at, bytes: 600 },
    ])
  })

  test('a row that came after the roll-up is counted by a job at once, without waiting for the hour', async () => {
    const first = t.clock.now()
    await report(first, 100)
    await until(first + 3 * hour)
    expect(await periods()).toMatchObject([{ bytes: 100 }])
    await report(first, 11, 'late'.padStart(26, '0'))
    await t.runJobs()
    expect(await periods()).toMatchObject([{ bytes: 111 }])
  })

  test('months of releases up to 0.1 become periods, and their rows are not added again', async () => {
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

  test('hours and days come from periods and months when the rows are gone, and from rows at the end', async () => {
    const first = Math.floor(t.clock.now() / hour) * hour
    await report(first, 100)
    for (let at = first + day; at < first + 4 * day; at += day) await until(at)
    for (const { ref } of (await t.control.store.query(queries.usageByHour, { where: {}, limit: 9 })).items)
      await t.control.store.delete(usageHours.ref(ref.id))
    await report(t.clock.now(), 8)
    const span = { from: first, to: t.clock.now() }
    const today = Math.floor(t.clock.now() / day) * day
    for (const whose of [{}, { tunnel }]) {
      const hours = await asked({ ...span, step: 'hour', ...whose })
      expect(hours.series).toMatchObject([
        { at: first, in: 25, out: 75, opened: 1 },
        { at: Math.floor(t.clock.now() / hour) * hour, in: 2, out: 6 },
      ])
      const days = await asked({ ...span, step: 'day', ...whose })
      expect(days.series?.map(({ at }) => at)).toEqual([Math.floor(first / day) * day, today])
      expect(days.total).toMatchObject({ in: 27, out: 81, opened: 2 })
    }
  })

  test('reads follow from what is returned: sums, minutes, hours, days', async () => {
    const other = newId('tun', 2)
    const gone = await t.control.store.get(deletedTunnels.ref(tunnel))
    if (gone) await t.control.store.set(deletedTunnels.ref(other), gone.data)
    const first = Math.floor(t.clock.now() / day) * day + day
    // Each hour of the last two days, whose rows are read one by one; before them every sixth, with six hours' sums.
    const last = first + 33 * day
    for (let at = first; at < first + 35 * day; at += at < last ? 6 * hour : hour) {
      t.clock.advance(Math.max(0, at - t.clock.now()))
      const row = {
        account: ada.account,
        boot,
        hour: at,
        opened: at < last ? 6 : 1,
        refused: 0,
        in: 1,
        out: 1,
      }
      await t.sync({ usage: [tunnel, other].map((each) => ({ ...row, tunnel: each })) })
      if (at % (6 * hour) === 0) await t.runJobs()
    }
    await until(first + 35 * day + 30 * 60_000)
    const to = t.clock.now()
    for (const [step, days, readsMax] of [
      // Two periods, months of the tunnels that are shown, and the rows of a day and a half.
      [undefined, 31, 6 + 2 * 36],
      ['minute', 1, 2 * 25 + 1],
      ['hour', 31, 6],
      ['day', 93, 8],
    ] as const) {
      const counted = countingStore(t.control.store)
      const own = controlOf({ ...t.control, store: counted.store }, ada.account)
      const usage = await readUsage(own, ada, { to, from: to - days * day, ...(step && { step }) })
      expect(usage.total.opened).toBeGreaterThan(2 * 24 * Math.min(days, 34) - 1)
      expect(counted.counts.reads, `${step}`).toBeLessThanOrEqual(readsMax)
      if (step === undefined) expect(usage.tunnels).toHaveLength(2)
    }
  })

  test('minutes show how requests were answered, of all relays together, each report once', async () => {
    const at = Math.floor(t.clock.now() / hour) * hour
    const row = { tunnel, account: ada.account, hour: at, opened: 1, refused: 0, in: 1, out: 1 }
    const answersAt = (minute: number, ...counts: number[]) =>
      packCounts([...new Array<number>(minute * answerShape.width).fill(0), ...counts], answerShape)
    const first = { ...row, boot, answers: answersAt(3, 0, 5, 0, 1, 2, 0, 8) }
    const second = { ...row, boot: 'other'.padStart(26, '0'), answers: answersAt(3, 1, 5, 0, 0, 0, 4, 0, 2) }
    for (const usage of [[first], [first, second], [{ ...first, answers: 'no such text!' }]])
      await t.sync({ usage })
    const { series } = await asked({ from: at, to: at + hour - 1, step: 'minute' })
    expect(series?.find(({ answers }) => answers)).toMatchObject({
      at: at + 3 * 60_000,
      answers: {
        ...{ upgraded: 1, successful: 10, redirected: 0, clientError: 1, serverError: 2, unanswered: 4 },
        latency: [8, 2, 0, 0, 0, 0, 0, 0],
      },
    })
  })

  test('hours and days tell how requests were answered when the rows are gone, of an account and of a tunnel', async () => {
    const first = Math.floor(t.clock.now() / day) * day
    const answersAt = (minute: number, ...counts: number[]) =>
      packCounts([...new Array<number>(minute * answerShape.width).fill(0), ...counts], answerShape)
    const row = { tunnel, account: ada.account, boot, opened: 1, refused: 0, in: 1, out: 1 }
    const at = (hourOfDay: number, answers: string) => ({ ...row, hour: first + hourOfDay * hour, answers })
    await t.sync({ usage: [at(0, answersAt(3, 0, 5, 0, 0, 1, 2, 0, 8))] })
    await until(first + 2 * hour)
    await t.sync({ usage: [at(1, answersAt(3, 0, 1)), at(2, answersAt(0, 0, 2))] })
    // The same hour once more, with what came late, after it was counted.
    await t.sync({ usage: [at(0, answersAt(3, 0, 7, 0, 0, 1, 2, 0, 10))] })
    for (let n = 1; n <= 3; n++) await until(first + n * day)
    for (const { ref } of (await t.control.store.query(queries.usageByHour, { where: {}, limit: 9 })).items)
      await t.control.store.delete(usageHours.ref(ref.id))
    const span = { from: first, to: t.clock.now() }
    for (const whose of [{}, { tunnel }]) {
      const { series: hours = [], hours: listed } = await asked({ ...span, step: 'hour', ...whose })
      expect(hours.map(({ answers }) => answers?.successful)).toEqual([7, 1, 2])
      expect(hours[0]?.answers).toMatchObject({
        serverError: 1,
        unanswered: 2,
        latency: [0, 10, 0, 0, 0, 0, 0, 0],
      })
      expect(listed[0]).not.toHaveProperty('answers')
      const { series: days = [], total } = await asked({ ...span, step: 'day', ...whose })
      expect(days).toMatchObject([{ at: first, answers: { successful: 10, serverError: 1, unanswered: 2 } }])
      expect(Object.keys(total)).not.toContain('answers')
    }
  })

  test('usage of every cell that a tunnel has left in the last 35 days is taken', async () => {
    const ttl = new Date(t.clock.now() + day)
    const formerCells = { home: t.clock.now() - 20 * day, west: t.clock.now() }
    const moved = { account: ada.account, cell: 'south', formerCell: 'west', formerCells, deletedAt: 0, ttl }
    await t.control.store.set(deletedTunnels.ref(tunnel), moved)
    await report(t.clock.now(), 100)
    expect((await asked({})).total).toMatchObject({ in: 25, out: 75 })
  })

  test('a year can be asked for by day, and a span too long for its step is refused', async () => {
    const to = t.clock.now()
    expect((await asked({ from: to - 390 * day, to, step: 'day' })).series).toEqual([])
    for (const [step, days] of [
      ['minute', 2],
      ['hour', 94],
      ['day', 401],
    ] as const)
      await expect(asked({ from: to - days * day, to, step })).rejects.toMatchObject({
        key: 'api.combination',
      })
  })

  test('a bound key sees only its tunnels, in every step', async () => {
    await report(t.clock.now(), 100)
    await until(t.clock.now() + 2 * hour)
    const bound: Caller = { ...ada, tunnels: new Set(['web']) }
    const span = { from: t.clock.now() - 3 * hour, to: t.clock.now() }
    for (const step of [undefined, 'minute', 'hour', 'day'] as const)
      for (const whose of [{}, { tunnel }])
        expect((await readUsage(t.of(ada), bound, { ...span, step, ...whose })).total.in).toBe(0)
  })

  test('periods stay in the collection of the earlier version, under other ids', async () => {
    await report(t.clock.now(), 100)
    await until(t.clock.now() + 2 * hour)
    expect(await t.control.store.get(usagePeriods.ref(`${ada.account}:${january}`))).toBeDefined()
  })
})

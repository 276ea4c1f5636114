/** The history of a tunnel is bounded, exact over steps and relays, and honest about what nobody knows. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { minuteShape } from '../api/schemas/relays.ts'
import { singleShape, timesShape } from '../api/schemas/results.ts'
import { newId } from '../base/ids.ts'
import { timeBucketOf } from '../base/latency.ts'
import { packCounts } from '../base/packed-counts.ts'
import { countingStore } from '../testing/counting-store.ts'
import type { Caller } from './caller.ts'
import { controlOf } from './control.ts'
import { readHistory } from './history.ts'
import { createTunnel } from './tunnels.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

let t: TestControl
let ada: Caller
let tunnel: string
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller()
  const made = await createTunnel(controlOf(t.control, ada.account), ada, {
    name: 'web',
    kind: 'http',
    policy: {},
  })
  tunnel = made.ref.id
  // As if a relay had served it.
  await t.control.store.change(made.ref, (doc) => (doc ? { ...doc, cell: 'home' } : 'keep'))
})
afterEach(() => t.close())

const read = (asked: Parameters<typeof readHistory>[2]) =>
  readHistory(controlOf(t.control, ada.account), ada, asked)
const seriesOf = (width: number, rows: Readonly<Record<number, readonly number[]>>) => {
  const figures = new Array<number>(60 * width).fill(0)
  for (const [row, counts] of Object.entries(rows))
    figures.splice(Number(row) * width, counts.length, ...counts)
  return packCounts(figures, { width, rows: 60 })
}
/** A row in which each minute of `carried` has as many bytes from visitors and one opened. */
const rowAt = (at: number, carried: Readonly<Record<number, number>>, more: object = {}) => {
  const bytes = Object.values(carried).reduce((sum, count) => sum + count, 0)
  return {
    tunnel,
    account: ada.account,
    boot: quietSync.boot.boot,
    hour: at,
    in: bytes,
    out: 0,
    opened: Object.keys(carried).length,
    refused: 0,
    minutes: seriesOf(
      minuteShape.width,
      Object.fromEntries(Object.entries(carried).map(([row, count]) => [row, [count, 0, 1]])),
    ),
    ...more,
  }
}
const timesAt = (row: number, ...times: number[]) => {
  const counts = new Array<number>(timesShape.width).fill(0)
  for (const ms of times) counts[timeBucketOf(ms)] = (counts[timeBucketOf(ms)] ?? 0) + 1
  return seriesOf(timesShape.width, { [row]: counts })
}
const other = newId('rel', Date.UTC(2025, 0)).slice(4)

describe('history', () => {
  test('minutes of two relays add up: bytes, open visitors, times and codes; a longer step keeps the most that were open', async () => {
    const at = Math.floor(t.clock.now() / hour) * hour
    t.clock.advance(at + hour - t.clock.now())
    const single = (rows: Readonly<Record<number, readonly number[]>>) => seriesOf(singleShape.width, rows)
    const quick = Array.from({ length: 98 }, () => 10)
    await t.sync({
      usage: [
        rowAt(at, { 3: 100, 4: 50 }, { open: single({ 3: [2], 4: [7] }), times: timesAt(3, ...quick) }),
        rowAt(
          at,
          { 3: 1 },
          {
            boot: other,
            open: single({ 3: [4] }),
            times: timesAt(3, 3_000, 3_000),
            codes: { 404: single({ 3: [2] }), 'PT-6040': single({ 3: [1] }) },
          },
        ),
      ],
    })
    const fine = await read({ tunnel, from: at, to: at + hour - 1 })
    expect(fine.step).toBe(minute)
    expect(fine.points).toMatchObject([
      { at: at + 3 * minute, in: 101, opened: 2, open: 6, refused: 1, codes: { 404: 2, 'PT-6040': 1 } },
      { at: at + 4 * minute, in: 50, open: 7 },
    ])
    const [{ latency } = { latency: undefined }] = fine.points
    expect(latency?.p50).toBeGreaterThan(8)
    expect(latency?.p95).toBeLessThan(12)
    expect(latency?.p99).toBeGreaterThan(2_400)
    expect(fine.points[1]).not.toHaveProperty('latency')
    // From an hour on each relay keeps its most: together they are at least what was open at a time.
    for (const [step, open] of [
      [5 * minute, 7],
      [15 * minute, 7],
      [hour, 11],
    ] as const) {
      const coarse = await read({ tunnel, from: at, to: at + hour - 1, step })
      expect(coarse.points).toMatchObject([{ at, in: 151, open, codes: { 404: 2 } }])
      expect(coarse.points[0]?.latency).toEqual(latency)
    }
    expect((await read({ from: at, to: at + hour - 1 })).total).toMatchObject({ in: 151, opened: 3 })
  })

  test('the finest step is taken that needs at most 1,000 points, and no answer has more', async () => {
    const to = t.clock.now()
    const steps = []
    for (const days of [0.5, 1, 3, 7, 30, 90, 250, 400])
      steps.push((await read({ tunnel, from: to - days * day, to })).step / minute)
    expect(steps).toEqual([1, 5, 5, 15, 60, 360, 1_440, 1_440])
    const ofAccount = []
    for (const days of [0.5, 1, 3, 30])
      ofAccount.push((await read({ from: to - days * day, to })).step / minute)
    expect(ofAccount).toEqual([1, 5, 60, 60])
  })

  test('what nobody knows is outside of `known`: before the tunnel, after the last report, before rows end', async () => {
    const made = t.clock.now()
    t.clock.advance(day)
    const { known, points, total } = await read({ tunnel, from: made - 2 * day })
    expect(points).toEqual([])
    expect(total).toEqual({ in: 0, out: 0, opened: 0, refused: 0 })
    expect(known.from).toBe(made)
    expect(t.clock.now() - known.to).toBe(15 * minute + 30_000)
    const at = Math.floor(t.clock.now() / hour) * hour
    t.clock.advance(at + 10 * minute + 1 - t.clock.now())
    await t.sync({ usage: [rowAt(at, { 10: 5 })] })
    expect((await read({ tunnel })).known.to).toBe(t.clock.now())
    t.clock.advance(100 * day)
    const past = await read({ tunnel, from: made, to: made + hour })
    expect(past.known.from).toBe(t.clock.now() - 40 * day)
  })

  test('tells when a relay began that has carried something, in the span', async () => {
    const at = Math.floor(t.clock.now() / hour) * hour
    const began = at + 7 * minute
    const boot = newId('rel', began).slice(4)
    await t.sync({ usage: [rowAt(at, { 9: 5 }, { boot }), rowAt(at, { 9: 5 }, { boot: other })] })
    expect((await read({ tunnel, from: at, to: at + hour })).relayStarts).toEqual([began])
  })

  test('tells when a relay of its cell began as another version, and no account-wide history does', async () => {
    const began = [1, 2, 3].map((hours) => t.clock.now() + hours * hour)
    for (const [index, version] of ['0.0.0', '0.0.0', '0.2.0'].entries()) {
      t.clock.advance(hour)
      const at = began[index] ?? 0
      await t.sync({ boot: { ...quietSync.boot, boot: newId('rel', at).slice(4), version } })
    }
    const update = { at: began[2], version: '0.2.0', before: '0.0.0' }
    expect((await read({ tunnel })).relayUpdates).toEqual([update])
    expect((await read({ tunnel, to: began[1] })).relayUpdates).toEqual([])
    expect((await read({})).relayUpdates).toEqual([])
  })

  test('an answer reads as many documents as docs/cost.md says, however many points it has', async () => {
    const counted = countingStore(t.control.store)
    const own = controlOf({ ...t.control, store: counted.store }, ada.account)
    const begin = Math.floor(t.clock.now() / day) * day
    for (let hours = 0; hours < 7 * 24; hours += 50)
      await t.sync({
        usage: Array.from({ length: Math.min(50, 7 * 24 - hours) }, (_, n) =>
          rowAt(begin - 7 * day + (hours + n) * hour, { 1: 5 }),
        ),
      })
    for (const [days, most] of [
      [1, 24 + 3],
      [7, 168 + 3],
      [396, 200],
    ] as const) {
      const before = counted.counts.reads
      const from = begin - days * day
      expect((await readHistory(own, ada, { tunnel, from, to: begin - 1 })).total.in).toBeGreaterThan(0)
      expect(counted.counts.reads - before, `${days} days`).toBeLessThanOrEqual(most)
    }
  })

  test('a span that is empty or too long, a step that does not fit, and a tunnel of somebody else are refused', async () => {
    const to = t.clock.now()
    for (const asked of [
      { from: to, to: to - 1 },
      { from: to - 401 * day, to },
      { from: to - 8 * day, to, step: minute, tunnel },
      { from: to - 2 * day, to, step: 15 * minute },
    ])
      await expect(read(asked)).rejects.toMatchObject({ key: 'api.combination' })
    await expect(read({ tunnel: newId('tun', 9) })).rejects.toMatchObject({ key: 'api.not_found' })
  })
})

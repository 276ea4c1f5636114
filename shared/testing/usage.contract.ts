/**
 * The promises of usage, for any Store: the highest figures count, in any order of reports, and a full report lets
 * others have their turn.
 */
import { describe, expect, test } from 'vitest'
import { minuteShape, type Usage } from '../api/schemas/relays.ts'
import { singleShape } from '../api/schemas/results.ts'
import { silentLog } from '../base/log.ts'
import { packCounts } from '../base/packed-counts.ts'
import { countUsage } from '../control/books/count.ts'
import { bytesOf, readHours, sumByHour } from '../control/books/hours.ts'
import { countLate } from '../control/books/late.ts'
import { fillMonths, monthRef } from '../control/books/months.ts'
import type { Control } from '../control/control.ts'
import { deletedTunnels } from '../control/documents.ts'
import { Worker } from '../control/jobs/worker.ts'
import type { Store, Write } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { storeUsage } from '../control/usage.ts'
import { type UsageHourDoc, usageHours } from '../control/usage-documents.ts'
import { FakeClock } from './fake-clock.ts'
import { type MakeStore, withStore } from './store.contract.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 3, 6)
const boot = '01k0000000000000000000boot'
const account = 'acc_0000000000000000000000000a'
const tunnelOf = (n: number) => `tun_${`${n}`.padStart(26, '0')}`
const minutesOf = (...figures: number[]) => packCounts(figures, minuteShape)

function makeStage(store: Store) {
  const clock = new FakeClock(start + hour / 2)
  const bus = { publish: async () => {} }
  const cells = { openIds: async () => [] }
  const control = { store, clock, random: Math.random, log: silentLog, bus, cells } as unknown as Control
  return {
    store,
    control,
    report: (rows: readonly Usage[], over: Store = store) =>
      storeUsage({ ...control, store: over }, 'home', rows),
    /** A worker that only does roll-ups. */
    async roundOf(): Promise<void> {
      const kinds = [countUsage(control), countLate(control), fillMonths(control)]
      const worker = new Worker({ control, kinds, atOnce: 4 })
      await worker.begin()
      await worker.round(10_000)
    },
    clock,
    /** Tunnels of the cell; deleted ones are enough, and their documents are smaller. */
    async tunnels(count: number): Promise<void> {
      const data = { account, cell: 'home', deletedAt: start, ttl: new Date(start + 1_000 * hour) }
      const writes = Array.from({ length: count }, (_, n): Write => {
        return { op: 'create', ref: deletedTunnels.ref(tunnelOf(n)), data }
      })
      for (let at = 0; at < count; at += 400) await store.batch(writes.slice(at, at + 400))
    },
    async row(n: number): Promise<UsageHourDoc | undefined> {
      return (await store.get(usageHours.ref(`${tunnelOf(n)}:${start}:${boot}`)))?.data
    },
  }
}
type Stage = ReturnType<typeof makeStage>

const row = (n: number, changes: Partial<Usage> = {}): Usage => ({
  tunnel: tunnelOf(n),
  account,
  boot,
  hour: start,
  in: 1,
  out: 2,
  opened: 1,
  refused: 0,
  ...changes,
})

export function describeUsage(name: string, make: MakeStore): void {
  const check = (title: string, run: (stage: Stage) => Promise<void>) =>
    test(title, () => withStore(make, (store) => run(makeStage(store))), 60_000)

  describe(`usage: ${name}`, () => {
    check(
      'the highest figure counts, by minute too, and an older row without minutes removes none',
      async (s) => {
        await s.tunnels(1)
        await s.report([row(0, { in: 9, minutes: minutesOf(5, 0, 1, 4) })])
        await s.report([row(0, { in: 3, out: 7, minutes: minutesOf(5, 2, 0) })])
        expect(await s.row(0)).toMatchObject({ in: 9, out: 7, minutes: minutesOf(5, 2, 1, 4) })
        await s.report([row(0, { in: 10 })])
        expect(await s.row(0)).toMatchObject({ in: 10, out: 7, minutes: minutesOf(5, 2, 1, 4) })
      },
    )

    check('results survive repeats, disorder, roll-ups and the end of their rows', async (s) => {
      await s.tunnels(1)
      const at = (minute: number, ...counts: number[]) =>
        packCounts([...new Array<number>(minute).fill(0), ...counts], singleShape)
      const early = row(0, { open: at(2, 4), codes: { 404: at(2, 5) }, times: 'AgA' })
      const late = row(0, { in: 5, open: at(2, 4, 9), codes: { 404: at(2, 7), 'PT-6040': at(3, 1) } })
      for (const report of [[early], [late], [early]]) await s.report(report)
      const sums = { codes: { 404: 7, 'PT-6040': 1 }, open: [9] }
      const stored = await s.row(0)
      expect(stored && sumByHour([stored]).get(start)).toMatchObject(sums)
      s.clock.advance(hour)
      await s.roundOf()
      s.clock.advance(24 * hour)
      await s.roundOf()
      const month = await s.store.get(monthRef(tunnelOf(0), Date.UTC(2026, 0)))
      const [period] = (await s.store.query(queries.periodsOfAccount, { where: { account }, limit: 1 })).items
      for (const kept of [month?.data, period?.data])
        expect(kept && readHours(kept, kept.start).get(start)).toMatchObject(sums)
    })

    check('a row that is twice in a report counts as its highest', async (s) => {
      await s.tunnels(1)
      await s.report([row(0, { in: 9 }), row(0, { out: 7 })])
      expect(await s.row(0)).toMatchObject({ in: 9, out: 7 })
    })

    check('concurrent reports of the same rows lose nothing', async (s) => {
      await s.tunnels(30)
      const of = (n: number) => Array.from({ length: 30 }, (_, at) => row(at, n % 2 ? { in: n } : { out: n }))
      await Promise.all([1, 2, 3, 4].map((n) => s.report(of(n * 10 + n))))
      for (let at = 0; at < 30; at++) expect(await s.row(at)).toMatchObject({ in: 33, out: 44 })
    })

    check(
      'a full report is stored in pieces: no call has more than 400 rows, and there are few calls',
      async (s) => {
        await s.tunnels(1_000)
        let calls = 0
        const counted = new Proxy(s.store, {
          get(target, key: keyof Store) {
            const call = target[key] as (...given: unknown[]) => unknown
            return (...given: unknown[]) => {
              calls++
              if (Array.isArray(given[0])) expect(given[0].length).toBeLessThanOrEqual(400)
              return call.apply(target, given)
            }
          },
        })
        await s.report(
          Array.from({ length: 1_000 }, (_, n) => row(n)),
          counted,
        )
        expect(calls).toBeLessThan(20)
        expect(await s.row(999)).toMatchObject({ in: 1 })
      },
    )

    check('concurrent reports and roll-ups, some late, add up to the rows', async (s) => {
      await s.tunnels(20)
      const bytes = (n: number, more: number) => row(n, { in: 10 + more, out: n })
      await s.report(Array.from({ length: 20 }, (_, n) => bytes(n, 0)))
      s.clock.advance(hour)
      for (let more = 1; more <= 3; more++) {
        const late = Array.from({ length: 20 }, (_, n) => bytes(n, more))
        await Promise.all([s.roundOf(), s.report(late.slice(0, 12)), s.report(late.slice(8)), s.roundOf()])
        s.clock.advance(hour)
      }
      await s.roundOf()
      s.clock.advance(hour)
      await s.roundOf()
      const where = { account }
      const { items } = await s.store.query(queries.periodsOfAccount, { where, limit: 5 })
      expect(items.map(({ data }) => data)).toMatchObject([{ bytes: 20 * 13 + 190, corrections: 0 }])
      s.clock.advance(24 * hour)
      await s.roundOf()
      const months = await s.store.getAll([0, 19].map((n) => monthRef(tunnelOf(n), Date.UTC(2026, 0))))
      expect(months.map((month) => bytesOf(month?.data.hours ?? ''))).toEqual([13, 32])
    })
  })
}

/**
 * The books of usage over any Store when the control plane's clock runs far ahead for some days and is set right again:
 * what it closed stays as it was closed, what comes then is counted once, and no figure waits for twenty years.
 */
import { describe, expect } from 'vitest'
import { newId } from '../base/ids.ts'
import { countUsage } from '../control/books/count.ts'
import { countLate } from '../control/books/late.ts'
import { fillMonths } from '../control/books/months.ts'
import { openPeriod } from '../control/books/periods.ts'
import { controlOf } from '../control/control.ts'
import { accounts, deletedTunnels } from '../control/documents.ts'
import { Worker } from '../control/jobs/worker.ts'
import { plans } from '../control/plans.ts'
import type { Store } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { readTransfer } from '../control/transfer.ts'
import { storeUsage } from '../control/usage.ts'
import { readUsage } from '../control/usage-sums.ts'
import { type Cases, casesOn } from './cases.ts'
import { instanceOver } from './claims.contract.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

const hour = 3_600_000
const day = 24 * hour
const years = 20 * 365 * day
const start = Date.UTC(2026, 0, 10, 6)
const [account, tunnel] = [newId('acc', 1), newId('tun', 1)]
const who = { account, limits: plans.free, periodAnchor: undefined }

async function makeBooks(store: Store) {
  const clock = new FakeClock(start)
  const control = instanceOver(store, clock)
  const open = { name: 'Lab', plan: 'free', status: 'active', statusVersion: 1, overrides: {} } as const
  await store.set(accounts.ref(account), { ...open, createdAt: 1 })
  const ttl = new Date(start + 2 * years)
  await store.set(deletedTunnels.ref(tunnel), { account, cell: 'home', deletedAt: 0, ttl })
  const kinds = [countUsage, countLate, fillMonths].map((kind) => kind(control))
  const worker = new Worker({ control, kinds, atOnce: 4 })
  await worker.begin()
  return {
    control,
    clock,
    worker,
    async report(bytes: number, at: number, boot = 'a'): Promise<void> {
      const row = { tunnel, account, hour: at - (at % hour), opened: 1, refused: 0, in: 0, out: bytes }
      await storeUsage(control, 'home', [{ ...row, boot: boot.padStart(26, '0') }])
    },
    async goOn(ms: number, stepMs = hour): Promise<void> {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs))
        await worker.round(60_000)
      }
    },
    async periods() {
      const { items } = await store.query(queries.periodsOfAccount, { where: { account }, limit: 20 })
      // What was counted by the wrong clock lies where it is found in twenty years.
      return items.map(({ data }) => data).filter(({ start: begin }) => begin < start + years / 2)
    },
  }
}

export function describeWrongClock(name: string, make: MakeStore, cases: Cases = 'all'): void {
  const { rule } = casesOn(make, makeBooks, cases)

  describe(`books and a wrong clock: ${name}`, () => {
    rule(
      'twenty years ahead for a week: what it closed stays, the rest of the month counts',
      async (books) => {
        const { clock, control } = books
        await books.report(1_000, clock.now())
        await books.goOn(2 * hour)
        clock.jump(years)
        await books.report(5, clock.now())
        await books.goOn(7 * day, 3.5 * day)
        clock.jump(-years)
        const back = clock.now()
        expect(await books.periods()).toMatchObject([{ state: 'closed', bytes: 1_000 }])
        await books.report(70, back)
        await books.report(30, start, 'b')
        await books.goOn(4 * hour)
        await books.report(7, clock.now())
        await books.goOn(2 * hour)
        const [now, then] = await books.periods()
        // What was carried until the first roll-up came too late for the closed one, so it is a correction.
        expect(then).toMatchObject({ state: 'closed', bytes: 1_000, end: now?.start, corrected: 100 })
        expect(now).toMatchObject({ state: 'open', end: Date.UTC(2026, 1), bytes: 7, corrections: 100 })
        expect((await openPeriod(control, account))?.data.start).toBe(now?.start)
        const { countedAt = 0, usedBytes } = (await readTransfer(control, who)) ?? {}
        expect([usedBytes, countedAt <= clock.now()]).toEqual([7, true])
        // A day later it stands in the months of the tunnel too, and in February all of it is closed.
        await books.goOn(2 * day, 12 * hour)
        const of = { tunnels: undefined, account } as never
        const asked = { from: start - (start % day), to: clock.now(), step: 'day' } as const
        for (const more of [{}, { tunnel }]) {
          const { total } = await readUsage(controlOf(control, account), of, { ...asked, ...more })
          expect(total).toMatchObject({ out: 1_107 })
        }
        await books.goOn(20 * day, 5 * day)
        expect((await books.periods()).map(({ state, bytes }) => [state, bytes])).toEqual([
          ['closed', 7],
          ['closed', 1_000],
        ])
      },
    )

    rule(
      'ahead beyond the end of the month: its period is open again, with all that was counted',
      async (books) => {
        const { clock, control } = books
        await books.report(1_000, clock.now())
        await books.goOn(2 * hour)
        clock.jump(22 * day)
        await books.goOn(2 * hour)
        clock.jump(-22 * day)
        expect(await books.periods()).toMatchObject([{ state: 'closing', bytes: 1_000 }])
        await books.report(70, clock.now())
        await books.goOn(4 * hour)
        expect(await books.periods()).toMatchObject([{ state: 'open', bytes: 1_070, corrections: 0 }])
        expect(await readTransfer(control, who)).toMatchObject({ usedBytes: 1_070 })
      },
    )

    rule('behind by years and right again: nothing that was closed changes', async (books) => {
      const { clock } = books
      await books.report(1_000, clock.now())
      await books.goOn(30 * day, 6 * day)
      const before = await books.periods()
      clock.jump(-years)
      await books.report(9, clock.now())
      await books.goOn(3 * day, 3 * day)
      clock.jump(years)
      await books.goOn(2 * hour)
      const [january] = (await books.periods()).filter(({ start: begin }) => begin === Date.UTC(2026, 0))
      expect(january).toEqual(before[0])
      await books.report(70, clock.now())
      await books.goOn(2 * hour)
      expect((await books.periods())[0]).toMatchObject({ state: 'open', bytes: 70 })
    })
  })
}

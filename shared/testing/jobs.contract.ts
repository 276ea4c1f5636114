/**
 * What jobs promise over any Store: an effect that commits with its job's end happens once, whatever dies on the way,
 * and nobody waits behind another's flood. Time is moved by hand; workers take turns when the store itself waits.
 */
import { describe, expect } from 'vitest'
import { type Log, silentLog } from '../base/log.ts'
import type { Control } from '../control/control.ts'
import { jobs } from '../control/documents.ts'
import { freshJob, type JobKind, leaseMs, look, type RunningJob, type Wish } from '../control/jobs/jobs.ts'
import { Worker } from '../control/jobs/worker.ts'
import { collection } from '../control/names.ts'
import { pieces } from '../control/piecewise.ts'
import type { Store, Transaction, Write } from '../control/platform.ts'
import { queries } from '../control/query-table.ts'
import { type Cases, casesOn } from './cases.ts'
import { countingStore } from './counting-store.ts'
import { FakeClock } from './fake-clock.ts'
import type { MakeStore } from './store.contract.ts'

type Effect = { readonly account: string; readonly n: number }
const effects = collection<Effect>('contractEffects')

/** Reads and adds one, so that an effect that happened twice is visible. */
async function addOne(tx: Transaction, id: string): Promise<void> {
  const before = await tx.get(effects.ref(id))
  tx.set(effects.ref(id), { account: 'acc', n: (before?.data.n ?? 0) + 1 })
}

function makeStage(store: Store, log: Log = silentLog) {
  const clock = new FakeClock()
  const control = { store, clock, random: Math.random, log } as unknown as Control
  return {
    store,
    clock,
    control,
    ask: (wish: Wish) =>
      store.transact(async (tx) => {
        const write = await look(tx, wish, clock.now())
        return write()
      }),
    worker: (...kinds: readonly JobKind[]) => new Worker({ control, kinds, atOnce: 8 }),
    count: async (id: string) => (await store.get(effects.ref(id)))?.data.n ?? 0,
    job: async (id: string) => (await store.get(jobs.ref(id)))?.data,
  }
}

const kindOf = (run: JobKind['run'], more: Partial<JobKind> = {}): JobKind => ({
  name: 'work',
  attemptsMax: 3,
  run,
  ...more,
})
const adding = (job: RunningJob) => job.finish((tx) => addOne(tx, job.subject))
const wish = (subject: string, more: Partial<Wish> = {}): Wish => ({
  kind: 'work',
  subject,
  account: 'acc',
  ...more,
})

/** @param dueAtOnce how many jobs the store can take on a busy machine; an emulator is slower than the real thing */
export function describeJobs(
  name: string,
  make: MakeStore,
  { dueAtOnce, cases = 'all' }: { readonly dueAtOnce: number; readonly cases?: Cases },
): void {
  const { race, rule } = casesOn(make, (store) => makeStage(store), cases)

  describe(`jobs: ${name}`, () => {
    race('several workers at once have one effect for each job, and none is left', async (stage) => {
      const ids: string[] = []
      for (let n = 0; n < 40; n++) ids.push(await stage.ask(wish(`s${n}`, { account: `acc${n % 5}` })))
      const workers = [1, 2, 3].map(() => stage.worker(kindOf(adding)))
      await Promise.all(workers.flatMap((worker) => [worker.take(ids), worker.round(60_000)]))
      for (let n = 0; n < 40; n++) expect(await stage.count(`s${n}`)).toBe(1)
      for (const id of ids) expect(await stage.job(id)).toBeUndefined()
    })

    rule('what is asked for while it runs is done at once, though it had let itself wait', async (stage) => {
      let runs = 0
      const worker = stage.worker(
        kindOf(async (job) => {
          runs += 1
          if (runs === 1) await stage.ask(wish('again'))
          await job.pause({}, stage.clock.now() + 3_600_000)
        }),
      )
      await worker.take([await stage.ask(wish('again'))])
      await worker.take(['work:again'])
      await worker.take(['work:again'])
      expect(runs).toBe(2)
    })

    rule(
      'requested again while it waits it is one job; requested while it runs it runs once more',
      async (stage) => {
        await stage.ask(wish('a'))
        const id = await stage.ask(wish('a'))
        let asked = false
        const worker = stage.worker(
          kindOf(async (job) => {
            if (!asked) await stage.ask(wish('a'))
            asked = true
            await adding(job)
          }),
        )
        await worker.take([id])
        expect(await stage.count('a')).toBe(1)
        expect(await stage.job(id)).toMatchObject({ state: 'live', claim: '', dueAt: stage.clock.now() })
        await worker.take([id])
        expect([await stage.count('a'), await stage.job(id)]).toEqual([2, undefined])
      },
    )

    rule(
      'a worker that dies at any step loses its lease, and the next one goes on from what was kept',
      async (stage) => {
        const dying = (at: number) =>
          kindOf(async (job) => {
            for (let step = Number(job.progress.step ?? 0); step < 3; step++) {
              // The process is gone: this worker does nothing more, not even fail.
              if (step === at) return new Promise(() => {})
              await job.advance({ step: step + 1 }, (tx) => addOne(tx, `${job.subject}-${step}`))
            }
            await adding(job)
          })
        for (const at of [0, 1, 2]) {
          const id = await stage.ask(wish(`d${at}`))
          void stage.worker(dying(at)).take([id])
          await waitFor(async () => (await stage.count(`d${at}-${at - 1}`)) === 1 || at === 0)
          await waitFor(async () => (await stage.job(id))?.claim !== '')
          const alive = stage.worker(dying(-1))
          await alive.take([id])
          expect(await stage.count(`d${at}`)).toBe(0)
          stage.clock.advance(leaseMs + 1)
          await alive.take([id])
          const counts = [0, 1, 2].map((step) => stage.count(`d${at}-${step}`))
          expect(await Promise.all([...counts, stage.count(`d${at}`)])).toEqual([1, 1, 1, 1])
        }
      },
    )

    rule('a worker that stalls past its lease is told, and can write nothing more', async (stage) => {
      const id = await stage.ask(wish('slow'))
      const held = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      const seen: unknown[] = []
      const slow = stage.worker(
        kindOf(async (job) => {
          begun.resolve()
          await held.promise
          seen.push(job.signal.aborted)
          await adding(job).catch((error: { key?: string }) => seen.push(error.key))
        }),
      )
      const stalled = slow.take([id])
      // Not when the store shows the claim: the worker may not have begun to watch its lease by then.
      await begun.promise
      stage.clock.advance(leaseMs + 1)
      await stage.worker(kindOf(adding)).take([id])
      held.resolve()
      await stalled
      expect([await stage.count('slow'), seen]).toEqual([1, [true, 'job.lost']])
    })

    rule(
      'a job that always fails is tried later and later, then it is dead, and asking again revives it',
      async (stage) => {
        const id = await stage.ask(wish('poison'))
        let tries = 0
        const worker = stage.worker(
          kindOf(async () => {
            tries++
            throw new Error('poison')
          }),
        )
        const waits: number[] = []
        for (let round = 0; round < 6; round++) {
          await worker.take([id])
          const { dueAt = 0, state } = (await stage.job(id)) ?? {}
          if (state === 'dead') break
          waits.push(dueAt - stage.clock.now())
          await worker.take([id])
          stage.clock.advance(3_600_000)
        }
        expect([tries, (await stage.job(id))?.state]).toEqual([3, 'dead'])
        expect(waits[0]).toBeLessThanOrEqual(5_000)
        expect(waits[2]).toBeGreaterThan(waits[0] ?? 0)
        await stage.ask(wish('poison'))
        await stage.worker(kindOf(adding)).take([id])
        expect(await stage.count('poison')).toBe(1)
      },
    )

    rule('a job that runs for ever is due again after its pause, once for all workers', async (stage) => {
      const kind = kindOf(adding, { everyMs: 60_000 })
      const workers = [stage.worker(kind), stage.worker(kind)]
      const round = () =>
        Promise.all(
          workers.map(async (worker) => {
            await worker.begin()
            await worker.round(1_000)
          }),
        )
      await round()
      await round()
      expect(await stage.count('all')).toBe(1)
      stage.clock.advance(60_000)
      await round()
      expect(await stage.count('all')).toBe(2)
    })

    race(`${dueAtOnce} that are due at once are each done once, at a few reads each`, async (stage) => {
      const writes = Array.from({ length: dueAtOnce }, (_, n): Write => {
        const asked = wish(`due${n}`, { account: `acc${n % 500}` })
        const data = freshJob(asked, stage.clock.now())
        return { op: 'create', ref: jobs.ref(`${asked.kind}:${asked.subject}`), data }
      })
      for (const some of pieces(writes)) await stage.store.batch(some)
      const { store, counts } = countingStore(stage.store)
      const done: string[] = []
      const kind = kindOf(async (job) => {
        await job.finish()
        done.push(job.subject)
      })
      const counted = { ...stage.control, store }
      const workers = [1, 2, 3, 4].map(() => new Worker({ control: counted, kinds: [kind], atOnce: 8 }))
      // The clock stands still: each worker continues until nothing is due.
      await Promise.all(workers.map((worker) => worker.round(60_000)))
      expect([done.length, new Set(done).size]).toEqual([dueAtOnce, dueAtOnce])
      const { items } = await stage.store.query(queries.jobsByState, {
        where: { state: 'live' },
        limit: 10,
      })
      expect(items).toEqual([])
      expect(counts.reads / dueAtOnce).toBeLessThan(8)
    })

    rule("one account's flood delays nobody else", async (stage) => {
      for (let n = 0; n < 300; n++) await stage.ask(wish(`flood${n}`, { account: 'flood' }))
      const others = Array.from({ length: 20 }, (_, n) => `other${n}`)
      for (const other of others) await stage.ask(wish(other, { account: other }))
      const order: string[] = []
      const worker = stage.worker(
        kindOf(async (job) => {
          order.push(job.account)
          await job.finish()
        }),
      )
      await worker.round(60_000)
      const floodShard =
        (await stage.ask(wish('again', { account: 'flood' }))) && (await stage.job('work:again'))?.shard
      const free: string[] = []
      for (const other of others) {
        const id = await stage.ask(wish(other, { account: other }))
        if ((await stage.job(id))?.shard !== floodShard) free.push(other)
      }
      const before = Math.max(...free.map((other) => order.indexOf(other)))
      expect(order).toHaveLength(320)
      // Far from all of the flood: only those in the same pages.
      expect(order.slice(0, before).filter((account) => account === 'flood').length).toBeLessThan(150)
    })
  })
}

/** Waits until it holds; only the store's own waiting passes time. */
async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

/** Store on Firestore over a bad network: errors have codes and come in time, and nothing is applied twice. */
import { systemClock } from '@porttunneler/shared/base/clock'
import type { Store } from '@porttunneler/shared/control/platform'
import {
  byGroup,
  contractQueries,
  expectFailure,
  type Thing,
  things,
} from '@porttunneler/shared/testing/store.contract'
import { expect, test, vi } from 'vitest'
import { type CutProxy, openCutProxy } from '../testing/cut-proxy.ts'
import { randomProject, withEmulators } from '../testing/with-emulators.ts'
import { openFirestoreStore } from './store.firestore.ts'

const one = things.ref('one')
const two = things.ref('two')
const thing: Thing = { group: 'a', n: 1 }
const addOne = (now: Thing | undefined): Thing => ({ ...thing, n: (now?.n ?? 0) + 1 })

type Scene = {
  /** Through the proxy. */
  readonly store: Store
  /** The same documents by another path. */
  readonly direct: Store
  readonly proxy: CutProxy
}

withEmulators(({ firestore }) => {
  const check = (title: string, run: (scene: Scene) => Promise<void>, callDeadlineMs = 4_000) =>
    test(title, async () => {
      const proxy = await openCutProxy(firestore)
      const shared = {
        projectId: randomProject(),
        queries: contractQueries,
        clock: systemClock,
        random: Math.random,
      }
      const store = openFirestoreStore({ ...shared, emulatorHost: proxy.host, callDeadlineMs })
      const direct = openFirestoreStore({ ...shared, emulatorHost: firestore })
      try {
        await direct.create(one, thing)
        // The first call loads the client and dials, which is not what the short deadlines are for.
        await vi.waitFor(() => store.get(one), { timeout: 50_000 })
        await run({ store, direct, proxy })
      } finally {
        proxy.mend()
        await Promise.all([store.close(), direct.close()])
        await proxy.close()
      }
    })

  const everyCall = (store: Store): readonly (() => Promise<unknown>)[] => [
    () => store.get(one),
    () => store.query(byGroup, { where: { group: 'a' }, limit: 5 }),
    () => store.create(two, thing),
    () => store.batch([{ op: 'delete', ref: two }]),
    () => store.change(one, addOne),
    () => store.transact(async (tx) => tx.update(one, { n: ((await tx.get(one))?.data.n ?? 0) + 1 })),
  ]

  check(
    'every call fails with store.unavailable while nobody answers, and the store recovers by itself',
    async ({ store, direct, proxy }) => {
      proxy.refuse()
      await Promise.all(everyCall(store).map((call) => expectFailure(call(), 'store.unavailable')))
      proxy.mend()
      await vi.waitFor(() => store.update(one, { n: 7 }), { timeout: 50_000 })
      expect((await direct.get(one))?.data.n).toBe(7)
      expect(await direct.get(two)).toBeUndefined()
    },
    700,
  )

  check(
    'every call fails with store.unavailable at its deadline when the answer does not come',
    async ({ store, proxy }) => {
      proxy.stall()
      const startedAt = systemClock.monotonic()
      await Promise.all(everyCall(store).map((call) => expectFailure(call(), 'store.unavailable')))
      expect(systemClock.monotonic() - startedAt).toBeLessThan(2_000)
    },
    300,
  )

  check(
    'it closes while calls hang: after the deadline of one, and every call has failed by then',
    async ({ store, proxy }) => {
      proxy.stall()
      const ended: unknown[] = []
      const calls = everyCall(store).map((call) => call().catch((error: unknown) => ended.push(error)))
      const startedAt = systemClock.monotonic()
      await store.close()
      expect(systemClock.monotonic() - startedAt).toBeLessThan(2_000)
      await Promise.all(calls)
      expect(ended.map((error) => (error as { key?: string }).key)).toEqual(
        calls.map(() => 'store.unavailable'),
      )
    },
    300,
  )

  check('a create whose answer was lost is made once, and is not mistaken for another’s', async (scene) => {
    const { store, direct, proxy } = scene
    const lost = proxy.loseNextAnswer()
    await store.create(two, { ...thing, n: 5 })
    await lost
    expect((await direct.get(two))?.data).toEqual({ ...thing, n: 5 })
    await expectFailure(store.create(two, thing), 'store.exists')
  })

  check('a batch whose answer was lost is applied once', async ({ store, direct, proxy }) => {
    const seen = await store.get(one)
    if (!seen) throw new Error('not there')
    const lost = proxy.loseNextAnswer()
    await store.batch([
      { op: 'create', ref: two, data: thing },
      { op: 'update', ref: one, fields: { n: 2 }, if: seen },
    ])
    await lost
    expect((await direct.getAll([one, two])).map((item) => item?.data.n)).toEqual([2, 1])
  })

  check(
    'an increment whose answer was lost counts once, alone and in a transaction',
    async ({ store, direct, proxy }) => {
      // Started from within, so that the commit's answer is lost and not the read's.
      let lost: Promise<void> | undefined
      await store.change(one, (now) => {
        lost ??= proxy.loseNextAnswer()
        return addOne(now)
      })
      await lost
      expect((await direct.get(one))?.data.n).toBe(2)
      let lostAgain: Promise<void> | undefined
      await store.transact(async (tx) => {
        const now = await tx.get(one)
        lostAgain ??= proxy.loseNextAnswer()
        tx.set(one, addOne(now?.data))
      })
      await lostAgain
      expect((await direct.get(one))?.data.n).toBe(3)
    },
  )

  check(
    'when another write hides the outcome, it is reported as unknown and not tried again',
    async ({ store, direct, proxy }) => {
      const seen = await store.get(one)
      if (!seen) throw new Error('not there')
      const lost = proxy.loseNextAnswer()
      const uncertain = store.update(one, { n: 50 }, seen)
      const overtake = lost.then(() => {
        proxy.refuse()
        return direct.change(one, (now) => ({ ...thing, n: (now?.n ?? 0) + 1 }))
      })
      await overtake
      proxy.mend()
      await expectFailure(uncertain, 'store.unavailable')
      expect((await direct.get(one))?.data.n).toBe(51)
    },
  )

  check('a write that loses every race gives up with store.contention and writes nothing', async (scene) => {
    const { store, direct } = scene
    const hopeless = store.transact(
      async (tx) => {
        const now = await tx.get(one)
        await direct.change(one, addOne)
        tx.set(one, { ...thing, n: (now?.data.n ?? 0) + 1_000 })
      },
      { deadlineMs: 200 },
    )
    await expectFailure(hopeless, 'store.contention')
    expect((await direct.get(one))?.data.n).toBeLessThan(1_000)
  })
})

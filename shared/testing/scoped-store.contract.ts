/** What a store scoped to an account promises, over any Store: nothing of another account is seen or touched. */
import { describe, expect, test } from 'vitest'
import { fail } from '../base/errors.ts'
import {
  collection,
  globalCollection,
  outboxCollection,
  ownIdCollection,
  sharedCollection,
} from '../control/names.ts'
import type { Store } from '../control/platform.ts'
import { declareQuery } from '../control/queries.ts'
import { type AccountStore, scopedStore } from '../control/scoped-store.ts'
import { expectFailure, type MakeStore, withStore } from './store.contract.ts'

type Note = { readonly account: string; readonly n: number }

const notes = collection<Note>('contractNotes')
const shared = globalCollection<{ readonly n: number }>('contractShared')
const houses = ownIdCollection<{ readonly n: number }>('contractHouses')
const rooms = sharedCollection<Note>('contractRooms')
const letters = outboxCollection<{ readonly n: number }>('contractLetters')
const ofAccount = declareQuery('contractNotesOfAccount', notes, { equals: ['account'], order: 'n' })
const ofAll = declareQuery('contractNotesOfAll', notes, { equals: [], order: 'n' })
const sharedByN = declareQuery('contractShared', shared, { equals: [], order: 'n' })

export const scopedQueries = [ofAccount, ofAll, sharedByN]

const mine = notes.ref('mine')
const theirs = notes.ref('theirs')
const note = (n: number): Note => ({ account: 'acc_a', n })

type Scene = { readonly store: Store; readonly a: AccountStore; readonly b: AccountStore }

export function describeScopedStore(name: string, make: MakeStore): void {
  const check = (title: string, run: (scene: Scene) => Promise<void>) =>
    test(title, () =>
      withStore(make, async (store) => {
        const scene = { store, a: scopedStore(store, 'acc_a'), b: scopedStore(store, 'acc_b') }
        await scene.a.create(mine, note(1))
        await scene.b.create(theirs, { account: 'acc_b', n: 2 })
        await run(scene)
        // Whatever account a did, it does not see this.
        expect((await store.get(theirs))?.data).toEqual({ account: 'acc_b', n: 2 })
      }),
    )

  describe(`scoped store: ${name}`, () => {
    check("another account's document reads as missing, in every way of reading", async ({ a }) => {
      expect(await a.get(theirs)).toBeUndefined()
      const found = await a.getAll([theirs, mine])
      expect(found.map((item) => item?.data)).toEqual([undefined, note(1)])
      expect(await a.change(theirs, () => 'keep')).toBeUndefined()
      await a.transact(async (tx) => expect(await tx.get(theirs)).toBeUndefined())
      const page = await a.query(ofAccount, { where: {}, limit: 10 })
      expect(page.items.map(({ ref }) => ref.id)).toEqual(['mine'])
      const forged = await a.query(ofAccount, { where: { account: 'acc_b' }, limit: 10 })
      expect(forged.items.map(({ ref }) => ref.id)).toEqual(['mine'])
      await a.transact(async (tx) => {
        const { items } = await tx.query(ofAccount, { where: { account: 'acc_b' }, limit: 10 })
        expect(items.map(({ ref }) => ref.id)).toEqual(['mine'])
      })
    })

    check('writes to it fail as on a missing document whose id is taken', async ({ a, store }) => {
      const { version } = (await store.get(theirs)) ?? { version: '' }
      await expectFailure(a.create(theirs, note(9)), 'store.exists')
      await expectFailure(a.set(theirs, note(9)), 'store.exists')
      await expectFailure(a.update(theirs, { n: 9 }), 'store.missing')
      await expectFailure(a.update(theirs, { n: 9 }, { version }), 'store.missing')
      await expectFailure(a.delete(theirs, { version }), 'store.changed')
      await a.delete(theirs)
      await expectFailure(
        a.change(theirs, (now) => ({ ...note(9), n: now?.n ?? -1 })),
        'store.exists',
      )
      expect(await a.change(theirs, () => 'delete')).toBeUndefined()
      for (const write of [
        { op: 'set', ref: theirs, data: note(9) },
        { op: 'create', ref: theirs, data: note(9) },
      ] as const)
        await expectFailure(a.batch([write]), 'store.exists')
    })

    check(
      'a transaction cannot write to it either, read or not, and does nothing if it tries',
      async ({ a, store }) => {
        await expectFailure(
          a.transact(async (tx) => {
            tx.update(mine, { n: 5 })
            tx.update(theirs, { n: 9 })
          }),
          'store.missing',
        )
        await expectFailure(
          a.transact(async (tx) => {
            await tx.get(theirs)
            tx.set(theirs, note(9))
          }),
          'store.exists',
        )
        await a.transact(async (tx) => tx.delete(theirs))
        expect((await store.get(mine))?.data).toEqual(note(1))
      },
    )

    check('it reads, writes and deletes its own documents as on the whole store', async ({ a, store }) => {
      await a.set(mine, note(2))
      await a.update(mine, { n: 3 })
      await a.change(mine, (now) => note((now?.n ?? 0) + 1))
      await a.transact(async (tx) => {
        const now = await tx.get(mine)
        tx.update(mine, { n: (now?.data.n ?? 0) + 1 })
        tx.create(notes.ref('new'), note(7))
      })
      expect((await store.getAll([mine, notes.ref('new')])).map((item) => item?.data)).toEqual([
        note(5),
        note(7),
      ])
      const read = await a.get(mine)
      await a.update(mine, { n: 6 }, read)
      await expectFailure(a.update(mine, { n: 7 }, read), 'store.changed')
      await a.batch([
        { op: 'delete', ref: mine },
        { op: 'set', ref: notes.ref('other'), data: { n: 8 } },
      ])
      expect(await store.get(mine)).toBeUndefined()
      expect((await store.get(notes.ref('other')))?.data).toEqual(note(8))
    })

    check(
      'every document gets the account, and a document that names another is refused',
      async ({ a, store }) => {
        const bare = { n: 4 } as Note
        await a.create(notes.ref('bare'), bare)
        expect((await store.get(notes.ref('bare')))?.data).toEqual(note(4))
        const foreign = { account: 'acc_b', n: 4 }
        await expectFailure(a.create(notes.ref('x'), foreign), 'store.invalid')
        await expectFailure(a.set(mine, foreign), 'store.invalid')
        await expectFailure(a.update(mine, { account: 'acc_b' }), 'store.invalid')
        await expectFailure(
          a.change(mine, () => foreign),
          'store.invalid',
        )
        await expectFailure(
          a.transact(async (tx) => tx.update(mine, { account: 'acc_b' })),
          'store.invalid',
        )
      },
    )

    check('global collections and queries over all accounts are refused', async ({ a }) => {
      const ref = shared.ref('x')
      await expectFailure(a.get(ref), 'store.invalid')
      await expectFailure(a.getAll([ref]), 'store.invalid')
      await expectFailure(a.set(ref, { n: 1 }), 'store.invalid')
      await expectFailure(a.create(ref, { n: 1 }), 'store.invalid')
      await expectFailure(a.update(ref, { n: 1 }), 'store.invalid')
      await expectFailure(a.delete(ref), 'store.invalid')
      await expectFailure(
        a.change(ref, () => ({ n: 1 })),
        'store.invalid',
      )
      await expectFailure(
        a.transact(async (tx) => tx.get(ref)),
        'store.invalid',
      )
      await expectFailure(
        a.transact(async (tx) => tx.create(ref, { n: 1 })),
        'store.invalid',
      )
      await expectFailure(a.query(sharedByN, { where: {}, limit: 1 }), 'store.invalid')
      await expectFailure(a.query(ofAll, { where: {}, limit: 1 }), 'store.invalid')
    })

    check("a document whose id is the account's belongs only to it", async ({ store, a }) => {
      await a.create(houses.ref('acc_a'), { n: 1 })
      await store.create(houses.ref('acc_b'), { n: 2 })
      const other = houses.ref('acc_b')
      expect((await a.getAll([houses.ref('acc_a'), other])).map((found) => found?.data)).toEqual([
        { n: 1 },
        undefined,
      ])
      await expectFailure(a.create(houses.ref('acc_c'), { n: 9 }), 'store.exists')
      await expectFailure(a.set(other, { n: 9 }), 'store.exists')
      await expectFailure(
        a.change(houses.ref('acc_d'), () => ({ n: 9 })),
        'store.exists',
      )
      await expectFailure(
        a.transact(async (tx) => tx.update(other, { n: 9 })),
        'store.missing',
      )
      expect((await store.get(other))?.data).toEqual({ n: 2 })
    })

    check(
      "a shared document is the account's while it says so, and is written in transactions",
      async (scene) => {
        const { store, a, b } = scene
        const room = rooms.ref('r')
        await store.create(room, note(1))
        expect((await b.get(room))?.data).toBeUndefined()
        await expectFailure(a.set(room, note(2)), 'store.invalid')
        await expectFailure(
          b.transact(async (tx) => tx.set(room, { account: 'acc_b', n: 9 })),
          'store.exists',
        )
        await expectFailure(
          a.transact(async (tx) => tx.set(room, { account: 'acc_b', n: 9 })),
          'store.invalid',
        )
        await a.transact(async (tx) => tx.set(room, { account: '', n: 3 }))
        expect([(await a.get(room))?.data, (await store.get(room))?.data.n]).toEqual([undefined, 3])
      },
    )

    check('an outbox can be added to but not read', async ({ store, a }) => {
      const letter = letters.ref('l')
      await a.transact(async (tx) => tx.create(letter, { n: 1 }))
      expect((await store.get(letter))?.data).toEqual({ n: 1 })
      await expectFailure(a.get(letter), 'store.invalid')
      await expectFailure(
        a.transact(async (tx) => tx.set(letter, { n: 2 })),
        'store.invalid',
      )
    })

    check('here too reads come first, and a body that throws writes nothing', async ({ a, store }) => {
      await expectFailure(
        a.transact(async (tx) => {
          tx.update(mine, { n: 9 })
          await tx.get(mine)
        }),
        'store.invalid',
      )
      await expectFailure(
        a.transact(async (tx) => {
          tx.update(mine, { n: 9 })
          throw fail('api.conflict')
        }),
        'api.conflict',
      )
      expect((await store.get(mine))?.data).toEqual(note(1))
    })
  })
}

/**
 * What every Store promises, run unchanged against each implementation. Split by theme so that a failure names it: here
 * are documents, preconditions and hostile values; store-races.contract.ts has races and queries.
 */
import { describe, expect, test } from 'vitest'
import { type ErrorKey, isFailure } from '../base/errors.ts'
import { collection } from '../control/names.ts'
import type { Doc, Store, Value } from '../control/platform.ts'
import { declareQuery } from '../control/queries.ts'

export type Thing = {
  readonly group: string
  readonly n: number
  readonly isOpen?: boolean
  readonly payload?: Value
  readonly ttl?: Date
}

export const things = collection<Thing>('contractThings')
export const claims = collection<{ readonly holder: string }>('contractClaims')

export const byGroup = declareQuery('contractByGroup', things, { equals: ['group'], order: 'n' })
export const byGroupFalling = declareQuery('contractByGroupFalling', things, {
  equals: ['group'],
  order: 'n',
  direction: 'descending',
})
export const byState = declareQuery('contractByState', things, { equals: ['group', 'isOpen'], order: 'n' })

/** The queries that an implementation under test must be opened with. */
export const contractQueries = [byGroup, byGroupFalling, byState]

/** An empty store, closed by the suite. */
export type MakeStore = () => Promise<Store>

export async function withStore(make: MakeStore, run: (store: Store) => Promise<void>): Promise<void> {
  const store = await make()
  try {
    await run(store)
  } finally {
    await store.close()
  }
}

export async function expectFailure(promise: Promise<unknown>, key: ErrorKey): Promise<void> {
  const outcome = await promise.then(
    () => 'resolved',
    (error: unknown) => (isFailure(error) ? error.key : error),
  )
  expect(outcome).toBe(key)
}

const one = things.ref('one')
const thing: Thing = { group: 'a', n: 1 }

export function describeStore(name: string, make: MakeStore): void {
  describe(`store documents: ${name}`, () => {
    const check = (title: string, run: (store: Store) => Promise<void>) =>
      test(title, () => withStore(make, run))

    check('a written document is read back, with nothing added or lost', async (store) => {
      const payload = {
        text: 'Grüße 🌍',
        zero: 0,
        half: 0.1,
        big: 1e300,
        yes: true,
        none: null,
        list: [1, { a: [] }],
      }
      const ttl = new Date(1_800_000_000_123)
      await store.create(one, { ...thing, payload, ttl })
      expect((await store.get(one))?.data).toEqual({ ...thing, payload, ttl })
    })

    check('written objects are copied, and every read returns a new object', async (store) => {
      const list = [1]
      const pending = store.set(one, { ...thing, payload: list })
      list.push(2)
      await pending
      const first = await store.get(one)
      const seen = first?.data.payload
      if (Array.isArray(seen)) seen.push(3)
      expect(seen).toEqual([1, 3])
      expect((await store.get(one))?.data.payload).toEqual([1])
    })

    check(
      'getAll returns documents in the order of the request, undefined for missing ones',
      async (store) => {
        await store.set(one, thing)
        await store.set(things.ref('two'), { ...thing, n: 2 })
        const found = await store.getAll([things.ref('two'), things.ref('none'), one])
        expect(found.map((item) => item?.data.n)).toEqual([2, undefined, 1])
      },
    )

    check(
      'create refuses existing documents, set replaces them whole, update only the named fields',
      async (store) => {
        await store.create(one, { ...thing, payload: { a: 1, b: 2 } })
        await expectFailure(store.create(one, thing), 'store.exists')
        await store.update(one, { payload: { c: 3 } })
        expect((await store.get(one))?.data).toEqual({ ...thing, payload: { c: 3 } })
        await store.set(one, { group: 'b', n: 5 })
        expect((await store.get(one))?.data).toEqual({ group: 'b', n: 5 })
        await expectFailure(store.update(things.ref('none'), { n: 1 }), 'store.missing')
      },
    )

    check(
      'a version changes with every write, even when the document is deleted and made anew',
      async (store) => {
        const versions = new Set<string | undefined>()
        for (let round = 0; round < 3; round++) {
          await store.create(one, thing)
          versions.add((await store.get(one))?.version)
          await store.update(one, { n: 1 })
          versions.add((await store.get(one))?.version)
          await store.delete(one)
        }
        expect(versions.size).toBe(6)
      },
    )

    check('a precondition accepts only the version that was read', async (store) => {
      await store.create(one, thing)
      const read = await store.get(one)
      if (!read) throw new Error('not there')
      await store.update(one, { n: 2 }, read)
      await expectFailure(store.update(one, { n: 3 }, read), 'store.changed')
      await expectFailure(store.delete(one, read), 'store.changed')
      expect((await store.get(one))?.data.n).toBe(2)
      await store.delete(one)
      await expectFailure(store.delete(one, read), 'store.changed')
    })

    check('deleting a missing document is no error', async (store) => {
      await store.delete(one)
      expect(await store.get(one)).toBeUndefined()
    })

    check('a batch happens completely or not at all', async (store) => {
      await store.create(one, thing)
      const writes = [
        { op: 'set', ref: things.ref('new'), data: thing },
        { op: 'delete', ref: one },
        { op: 'update', ref: things.ref('none'), fields: { n: 1 } },
      ] as const
      await expectFailure(store.batch(writes), 'store.missing')
      expect(await store.get(things.ref('new'))).toBeUndefined()
      expect(await store.get(one)).toBeDefined()
      await store.batch(writes.slice(0, 2))
      expect(await store.get(things.ref('new'))).toBeDefined()
      expect(await store.get(one)).toBeUndefined()
    })

    check('a batch takes 400 writes and refuses 401, or two of one document', async (store) => {
      const writes = Array.from({ length: 401 }, (_, n) => ({
        op: 'set' as const,
        ref: things.ref(`b${n}`),
        data: thing,
      }))
      await expectFailure(store.batch(writes), 'store.invalid')
      await store.batch(writes.slice(1))
      expect(await store.get(things.ref('b400'))).toBeDefined()
      await expectFailure(store.batch([...writes.slice(0, 2), ...writes.slice(0, 1)]), 'store.invalid')
    })

    check('ids, fields and values that another engine would treat differently are refused', async (store) => {
      for (const id of ['', '.', '..', '__x__', 'a/b', 'ä', 'a b', 'x'.repeat(129), 'a\u0000b'])
        await expectFailure(store.set(things.ref(id), thing), 'store.invalid')
      for (const [title, value] of Object.entries(hostileValues())) {
        const data = { ...thing, payload: value as Value }
        await expectFailure(store.set(one, data), 'store.invalid').catch((cause) => {
          throw new Error(`accepted: ${title}`, { cause })
        })
        await expectFailure(
          store.transact(async (tx) => tx.create(one, data)),
          'store.invalid',
        )
      }
      for (const field of ['', 'm.example.com', '__proto_x__', 'a b', 'a`b', 'a/b'])
        await expectFailure(store.set(one, { ...thing, [field]: 1 } as Thing), 'store.invalid')
      expect(await store.get(one)).toBeUndefined()
    })

    check('a document grows to 1 MiB and not beyond, not even by an update', async (store) => {
      await store.set(one, { ...thing, payload: 'x'.repeat(1_048_000) })
      await expectFailure(store.set(one, { ...thing, payload: 'ü'.repeat(524_500) }), 'store.invalid')
      await expectFailure(store.update(one, { group: 'x'.repeat(1_000) }), 'store.invalid')
      expect((await store.get(one))?.data.group).toBe('a')
    })

    check('an id may use every allowed character', async (store) => {
      const ref = things.ref(`tcp:main:20000_A-z.${'9'.repeat(100)}`)
      await store.create(ref, thing)
      expect((await store.get(ref))?.ref.id).toBe(ref.id)
    })
  })
}

function hostileValues(): Record<string, unknown> {
  const deep = Array.from({ length: 21 }).reduce<unknown>((inner) => ({ inner }), 1)
  return {
    undefined: undefined,
    'undefined inside': { a: undefined },
    'a hole': new Array(2),
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    bigint: 1n,
    function: () => 1,
    symbol: Symbol('s'),
    'a symbol key': { [Symbol('s')]: 1 },
    'a Date outside ttl': new Date(0),
    'a Map': new Map(),
    'a class instance': new (class Odd {})(),
    bytes: new Uint8Array(3),
    'a list in a list': [[1]],
    'half a surrogate pair': '\ud83c',
    'a host name as key': { 'm.example.com': 1 },
    'a reserved key': { __name__: 1 },
    'too deep': deep as Doc,
  }
}

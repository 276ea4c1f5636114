/** What every Store promises about races, transactions and queries; store.contract.ts has single documents. */

import { describe, expect, test } from 'vitest'
import { fail, isFailure } from '../base/errors.ts'
import type { Query, Store, Transaction } from '../control/platform.ts'
import { storeLimits } from '../control/store-rules.ts'
import {
  byGroup,
  byGroupFalling,
  byState,
  claims,
  expectFailure,
  type MakeStore,
  type Thing,
  things,
  withStore,
} from './store.contract.ts'

const one = things.ref('one')
const two = things.ref('two')
const thing: Thing = { group: 'a', n: 0 }

/** Lets other work in between: for the store an await like any other. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export function describeStoreRaces(name: string, make: MakeStore): void {
  const check = (title: string, run: (store: Store) => Promise<void>) =>
    test(title, () => withStore(make, run), 60_000)
  describe(`store races: ${name}`, () => {
    describeChange(check)
    describeTransact(check)
    describeIsolation(check)
  })
  describe(`store queries: ${name}`, () => describeQueries(check))
}

type Check = (title: string, run: (store: Store) => Promise<void>) => void

function describeChange(check: Check): void {
  check('200 concurrent increments by change add up to 200', async (store) => {
    const add = () => store.change(one, (now) => ({ ...thing, n: (now?.n ?? 0) + 1 }), { deadlineMs: 50_000 })
    const results = await Promise.all(Array.from({ length: 200 }, add))
    expect((await store.get(one))?.data.n).toBe(200)
    expect(new Set(results.map((result) => result?.n)).size).toBeGreaterThan(1)
  })

  check('change makes, keeps and deletes, and returns what is there afterwards', async (store) => {
    expect(await store.change(one, () => 'keep')).toBeUndefined()
    expect(await store.change(one, () => 'delete')).toBeUndefined()
    expect(await store.change(one, () => thing)).toEqual(thing)
    const version = (await store.get(one))?.version
    expect(await store.change(one, () => 'keep')).toEqual(thing)
    expect((await store.get(one))?.version).toBe(version)
    expect(await store.change(one, () => 'delete')).toBeUndefined()
    expect(await store.get(one)).toBeUndefined()
  })

  check('what fn does to its argument or throws affects nobody else', async (store) => {
    await store.create(one, { ...thing, payload: [1] })
    await store.change(one, (now) => {
      if (Array.isArray(now?.payload)) now.payload.push(2)
      return 'keep'
    })
    const refusal = store.change(one, () => {
      throw fail('api.conflict')
    })
    await expectFailure(refusal, 'api.conflict')
    expect((await store.get(one))?.data.payload).toEqual([1])
  })
}

function describeTransact(check: Check): void {
  check('50 racing claims of one name, looked up first, have one winner', async (store) => {
    const claim = (n: number) =>
      store.transact(async (tx) => {
        if (await tx.get(claims.ref('name'))) return false
        await turn()
        tx.create(claims.ref('name'), { holder: `h${n}` })
        tx.set(things.ref(`t${n}`), thing)
        return true
      })
    const won = await Promise.all(Array.from({ length: 50 }, (_, n) => claim(n)))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect((await store.get(claims.ref('name')))?.data.holder).toBe(`h${won.indexOf(true)}`)
    const made = await store.getAll(won.map((_, n) => things.ref(`t${n}`)))
    expect(made.filter(Boolean)).toHaveLength(1)
  })

  check('50 racing claims of one name, created blind, have one winner', async (store) => {
    const claim = (n: number) =>
      store
        .transact(async (tx) => tx.create(claims.ref('name'), { holder: `h${n}` }))
        .catch((error: unknown) => {
          if (!isFailure(error, 'store.exists')) throw error
          return 'lost'
        })
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => claim(n)))
    expect(outcomes.filter((outcome) => outcome === 'lost')).toHaveLength(49)
  })

  check('writes take effect together at the end, or not at all when the body throws', async (store) => {
    await store.create(one, thing)
    const refusal = store.transact(async (tx) => {
      await tx.get(one)
      tx.update(one, { n: 9 })
      tx.create(two, thing)
      expect(await store.get(two)).toBeUndefined()
      throw fail('api.conflict')
    })
    await expectFailure(refusal, 'api.conflict')
    expect((await store.getAll([one, two])).map((item) => item?.data.n)).toEqual([0, undefined])
    await expectFailure(
      store.transact(async (tx) => {
        tx.delete(one)
        tx.update(two, { n: 1 })
      }),
      'store.missing',
    )
    expect(await store.get(one)).toBeDefined()
  })

  check('a transaction reads before it writes and touches no more documents than it may', async (store) => {
    const lateRead = store.transact(async (tx) => {
      tx.set(one, thing)
      await tx.get(two)
    })
    await expectFailure(lateRead, 'store.invalid')
    const write = (count: number) =>
      store.transact(async (tx) => {
        for (let n = 0; n < count; n++) tx.set(things.ref(`t${n}`), thing)
      })
    const { transactionDocuments: most } = storeLimits
    await expectFailure(write(most + 1), 'store.invalid')
    expect(await store.get(things.ref('t0'))).toBeUndefined()
    await write(most)
    expect(await store.get(things.ref(`t${most - 1}`))).toBeDefined()
  })

  check('a body that always loses gives up at its deadline with a code', async (store) => {
    await store.create(one, thing)
    const hopeless = store.transact(
      async (tx) => {
        await tx.get(one)
        await store.change(one, (now) => ({ ...thing, n: (now?.n ?? 0) + 1 }))
        tx.set(two, thing)
      },
      { deadlineMs: 300 },
    )
    await expectFailure(hopeless, 'store.contention')
    expect(await store.get(two)).toBeUndefined()
  })
}

function describeIsolation(check: Check): void {
  check(
    'a bystander writes while a transaction waits, and its write stays when that one fails',
    async (store) => {
      const refusal = store.transact(async (tx) => {
        await tx.get(one)
        await store.set(two, { ...thing, n: 7 })
        throw fail('api.conflict')
      })
      await expectFailure(refusal, 'api.conflict')
      expect((await store.get(two))?.data.n).toBe(7)
    },
  )

  check('write skew: of two who each need the other to stay on, one goes', async (store) => {
    await store.batch([one, two].map((ref) => ({ op: 'create' as const, ref, data: { ...thing, n: 1 } })))
    const leave = (mine: typeof one, other: typeof one) =>
      store.transact(async (tx) => {
        const there = await tx.get(other)
        await turn()
        if (there?.data.n === 1) tx.update(mine, { n: 0 })
      })
    await Promise.all([leave(one, two), leave(two, one)])
    const left = await store.getAll([one, two])
    expect(left.reduce((sum, item) => sum + (item?.data.n ?? 0), 0)).toBe(1)
  })

  check('phantom: a quota counted by query is never exceeded', async (store) => {
    const add = (n: number) =>
      store.transact(async (tx) => {
        const { items } = await tx.query(byGroup, { where: { group: 'a' }, limit: 4 })
        await turn()
        if (items.length < 3) tx.create(things.ref(`t${n}`), { ...thing, n })
      })
    await Promise.all(Array.from({ length: 12 }, (_, n) => add(n)))
    expect((await store.query(byGroup, { where: { group: 'a' }, limit: 20 })).items).toHaveLength(3)
  })

  check('a decision on documents that changed meanwhile is made again', async (store) => {
    await store.batch([one, two].map((ref) => ({ op: 'create' as const, ref, data: { ...thing, n: 1 } })))
    let runs = 0
    const compare = async (tx: Transaction) => {
      const first = await tx.get(one)
      if (runs++ === 0)
        await store.batch([one, two].map((ref) => ({ op: 'update' as const, ref, fields: { n: 2 } })))
      const second = await tx.get(two)
      if (first?.data.n !== second?.data.n) throw fail('api.internal', 'torn read')
    }
    await store.transact(compare)
    expect((await store.getAll([one, two])).map((item) => item?.data.n)).toEqual([2, 2])
  })
}

function describeQueries(check: Check): void {
  const fill = (store: Store, list: readonly (readonly [id: string, data: Thing])[]) =>
    store.batch(list.map(([id, data]) => ({ op: 'set', ref: things.ref(id), data })))
  const ids = async (store: Store, query: Query<Thing>, options: object) =>
    (await store.query(query, { where: { group: 'a' }, limit: 50, ...options })).items.map(
      ({ ref }) => ref.id,
    )

  check('equalities and bounds select, the ordered field and then the id sort', async (store) => {
    await fill(store, [
      ['b', { group: 'a', n: 2, isOpen: true }],
      ['a', { group: 'a', n: 2, isOpen: false }],
      ['z', { group: 'a', n: -1.5, isOpen: true }],
      ['c', { group: 'a', n: 10 }],
      ['x', { group: 'b', n: 2, isOpen: true }],
    ])
    expect(await ids(store, byGroup, {})).toEqual(['z', 'a', 'b', 'c'])
    expect(await ids(store, byGroupFalling, {})).toEqual(['c', 'b', 'a', 'z'])
    expect(await ids(store, byGroup, { from: 2, to: 2 })).toEqual(['a', 'b'])
    expect(await ids(store, byGroupFalling, { from: 0, to: 9 })).toEqual(['b', 'a'])
    expect(await ids(store, byState, { where: { group: 'a', isOpen: true } })).toEqual(['z', 'b'])
  })

  check('pages follow each other to the end, in either direction', async (store) => {
    const all = Array.from({ length: 23 }, (_, n) => [`t${10 + n}`, { group: 'a', n: n % 4 }] as const)
    await fill(store, all)
    for (const query of [byGroup, byGroupFalling]) {
      const whole = await ids(store, query, {})
      expect(whole).toHaveLength(23)
      expect(await walk(store, query, async () => {})).toEqual(whole)
    }
  })

  check('a walk over changing data meets unchanged documents exactly once', async (store) => {
    const stay = Array.from({ length: 30 }, (_, n) => [`s${n}`, { group: 'a', n: n % 6 }] as const)
    const go = Array.from({ length: 30 }, (_, n) => [`g${n}`, { group: 'a', n: n % 6 }] as const)
    await fill(store, [...stay, ...go])
    let step = 0
    const met = await walk(store, byGroup, async () => {
      await store.delete(things.ref(`g${step}`))
      await store.delete(things.ref(`g${29 - step}`))
      await fill(store, [[`new${step}`, { group: 'a', n: step % 6 }]])
      step++
    })
    expect(new Set(met).size).toBe(met.length)
    for (const [id] of stay) expect(met).toContain(id)
  })

  check('an undeclared query, or one in another shape, is refused', async (store) => {
    const where = { group: 'a' }
    const undeclared: Query<Thing> = { ...byGroup, name: 'contractOther' }
    await expectFailure(store.query(undeclared, { where, limit: 1 }), 'store.invalid')
    await expectFailure(store.query({ ...byGroup, order: 'group' }, { where, limit: 1 }), 'store.invalid')
    await expectFailure(store.query(byGroup, { where: {}, limit: 1 }), 'store.invalid')
    await expectFailure(store.query(byGroup, { where: { ...where, n: 1 }, limit: 1 }), 'store.invalid')
    await expectFailure(store.query(byGroup, { where: { group: [1] }, limit: 1 }), 'store.invalid')
    for (const limit of [0, -1, 1.5, 501])
      await expectFailure(store.query(byGroup, { where, limit }), 'store.invalid')
    await expectFailure(store.query(byGroup, { where, limit: 1, from: Number.NaN }), 'store.invalid')
    await expectFailure(store.query(byGroup, { where, limit: 1, after: [1, 'a/b'] }), 'store.invalid')
  })
}

/** All ids by pages of 5, doing `between` after each page. */
async function walk(store: Store, query: Query<Thing>, between: () => Promise<void>): Promise<string[]> {
  const met: string[] = []
  const where = { group: 'a' }
  let page = await store.query(query, { where, limit: 5 })
  for (;;) {
    met.push(...page.items.map(({ ref }) => ref.id))
    if (!page.next) return met
    await between()
    page = await store.query(query, { where, limit: 5, after: page.next })
  }
}

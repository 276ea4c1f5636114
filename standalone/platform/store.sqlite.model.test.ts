/** Random histories: every step must give the same result as a plain Map with sorting. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { collection } from '@porttunneler/shared/control/names'
import { declareQuery } from '@porttunneler/shared/control/queries'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSqliteStore, type SqliteStore } from './store.sqlite.ts'

type Thing = { readonly group: string; readonly n: number; readonly text?: string }
const things = collection<Thing>('things')
const rising = declareQuery('rising', things, { equals: ['group'], order: 'n' })
const falling = declareQuery('falling', things, { equals: ['group'], order: 'n', direction: 'descending' })

type Model = Map<string, Thing>
type Step = {
  readonly apply: (store: SqliteStore) => Promise<unknown>
  readonly expected: (model: Model) => unknown
}

const id = fc.constantFrom('a', 'b', 'A', 'a.b', 'a-b', 'tcp:main:1')
const number = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom(2 ** 53, -(2 ** 53), 2 ** 60),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const doc: fc.Arbitrary<Thing> = fc.record(
  {
    group: fc.constantFrom('x', 'y'),
    n: number.map((n) => (n === 0 ? 0 : n)),
    text: fc.string({ unit: 'grapheme' }),
  },
  { requiredKeys: ['group', 'n'] },
)

const create = fc.tuple(id, doc).map(
  ([key, data]): Step => ({
    apply: (store) => store.create(things.ref(key), data),
    expected(model) {
      if (model.has(key)) return 'store.exists'
      model.set(key, data)
    },
  }),
)
const set = fc.tuple(id, doc).map(
  ([key, data]): Step => ({
    apply: (store) => store.set(things.ref(key), data),
    expected: (model) => void model.set(key, data),
  }),
)
const update = fc.tuple(id, number).map(([key, number]): Step => {
  const fields = { n: number === 0 ? 0 : number }
  return {
    apply: (store) => store.update(things.ref(key), fields),
    expected(model) {
      const before = model.get(key)
      if (!before) return 'store.missing'
      model.set(key, { ...before, ...fields })
    },
  }
})
const remove = id.map(
  (key): Step => ({
    apply: (store) => store.delete(things.ref(key)),
    expected: (model) => void model.delete(key),
  }),
)
const move = fc.tuple(id, id).map(
  ([from, to]): Step => ({
    apply: (store) =>
      store.transact(async (tx) => {
        const found = await tx.get(things.ref(from))
        if (!found || from === to) return 'nothing'
        tx.delete(things.ref(from))
        tx.create(things.ref(to), found.data)
      }),
    expected(model) {
      const found = model.get(from)
      if (!found || from === to) return 'nothing'
      if (model.has(to)) return 'store.exists'
      model.delete(from)
      model.set(to, found)
    },
  }),
)
const read = id.map(
  (key): Step => ({
    apply: async (store) => (await store.get(things.ref(key)))?.data,
    expected: (model) => model.get(key),
  }),
)
const list = fc
  .record({
    query: fc.constantFrom(rising, falling),
    group: fc.constantFrom('x', 'y', 'z'),
    from: fc.option(number, { nil: undefined }),
    to: fc.option(number, { nil: undefined }),
    limit: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ query, group, from, to, limit }): Step => {
    const bounds = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
    return {
      async apply(store) {
        const found: unknown[] = []
        let page = await store.query(query, { where: { group }, limit, ...bounds })
        for (;;) {
          found.push(...page.items.map((item) => [item.ref.id, item.data]))
          if (!page.next) return found
          page = await store.query(query, { where: { group }, limit, ...bounds, after: page.next })
        }
      },
      expected(model) {
        const within = [...model].filter(
          ([, data]) => data.group === group && data.n >= (from ?? -Infinity) && data.n <= (to ?? Infinity),
        )
        const sorted = within.sort(([a, x], [b, y]) => x.n - y.n || (a < b ? -1 : 1))
        return query === rising ? sorted : sorted.reverse()
      },
    }
  })

test('store: any history of writes and reads gives the results of a plain Map', async () => {
  const steps = fc.array(fc.oneof(create, set, update, remove, move, read, list), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      await using store = openSqliteStore(':memory:', { queries: [rising, falling] })
      const model: Model = new Map()
      for (const step of history) {
        const outcome = await step.apply(store).catch((error) => (isFailure(error) ? error.key : error))
        expect(outcome).toEqual(step.expected(model))
      }
    }),
    { numRuns: 150 },
  )
})

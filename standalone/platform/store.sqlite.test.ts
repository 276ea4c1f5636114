/** What only the SQLite store has: files, failures, indexes; and its results compared with a plain Map's. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { collection } from '@porttunneler/shared/control/names'
import { declareQuery } from '@porttunneler/shared/control/queries'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterAll, describe, expect, test } from 'vitest'
import { openDatabase, storeFailure } from './store.sqlite.database.ts'
import { querySql } from './store.sqlite.query.ts'
import { openSqliteStore, purgeSlice, SqliteStore } from './store.sqlite.ts'

type Thing = { readonly group: string; readonly n: number; readonly ttl?: Date }
const things = collection<Thing>('things')
const byGroup = declareQuery('byGroup', things, { equals: ['group'], order: 'n' })
const queries = [byGroup]

const folder = mkdtempSync(join(tmpdir(), 'ptun-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const freshPath = () => join(folder, `${files++}.db`)
const thing: Thing = { group: 'a', n: 1 }

describe('the database file', () => {
  test('everything is there after a restart, indexes and versions included', async () => {
    const path = freshPath()
    const ttl = new Date(1_800_000_000_000)
    const first = openSqliteStore(path, { queries })
    await first.create(things.ref('one'), { ...thing, ttl })
    const before = await first.get(things.ref('one'))
    await first.close()
    await using second = openSqliteStore(path, { queries })
    expect(await second.get(things.ref('one'))).toEqual(before)
    expect((await second.query(byGroup, { where: { group: 'a' }, limit: 9 })).items).toHaveLength(1)
    await second.update(things.ref('one'), { n: 2 })
    expect((await second.get(things.ref('one')))?.version).not.toBe(before?.version)
  })

  test('only its owner can read it and its write-ahead log', async () => {
    const path = freshPath()
    await using store = openSqliteStore(path, { queries })
    await store.create(things.ref('one'), thing)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('two stores open on one file lose no increment', async () => {
    const path = freshPath()
    await using first = openSqliteStore(path, { queries })
    await using second = openSqliteStore(path, { queries })
    const add = (store: SqliteStore) =>
      store.change(things.ref('one'), (now) => ({ ...thing, n: (now?.n ?? 0) + 1 }))
    await Promise.all(Array.from({ length: 100 }, (_, n) => add(n % 2 ? first : second)))
    expect((await first.get(things.ref('one')))?.data.n).toBe(100)
  })

  test('a newer format, a damaged file and an impossible path are told apart, and nothing is overwritten', () => {
    const newer = freshPath()
    openDatabase(newer).close()
    const db = new DatabaseSync(newer)
    db.exec('PRAGMA user_version = 99')
    db.close()
    const damaged = freshPath()
    writeFileSync(damaged, 'this is no database, whatever it is called'.repeat(100))
    const isFolder = freshPath()
    mkdirSync(isFolder)
    const missing = join(folder, 'missing', 'x.db')
    for (const [path, key] of [
      [newer, 'store.newer'],
      [damaged, 'store.corrupt'],
      [isFolder, 'store.read_only'],
      [missing, 'store.read_only'],
    ] as const)
      expect(() => openSqliteStore(path, { queries })).toThrow(
        expect.objectContaining({ key, detail: expect.stringContaining(path) }),
      )
    expect(readFileSync(damaged, 'utf8')).toContain('this is no database')
    expect(existsSync(missing)).toBe(false)
  })

  test('a full disk refuses the write whole, says so, and what was there stays readable', async () => {
    const db = openDatabase(freshPath())
    await using store = new SqliteStore(db, { queries })
    await store.create(things.ref('one'), thing)
    db.exec('PRAGMA max_page_count = 20')
    const big = { ...thing, group: 'x'.repeat(500_000) }
    const writes = ['two', 'three'].map((id) => ({ op: 'set' as const, ref: things.ref(id), data: big }))
    await expectFailure(store.batch(writes), 'store.full')
    await expectFailure(
      store.change(things.ref('two'), () => big),
      'store.full',
    )
    expect((await store.get(things.ref('one')))?.data).toEqual(thing)
    expect(await store.get(things.ref('two'))).toBeUndefined()
    db.exec('PRAGMA max_page_count = 100000')
    await store.batch(writes)
    expect(await store.get(things.ref('three'))).toBeDefined()
  })

  test('a read-only database refuses writes and still serves reads', async () => {
    const db = openDatabase(freshPath())
    await using store = new SqliteStore(db, { queries })
    await store.create(things.ref('one'), thing)
    db.exec('PRAGMA query_only = ON')
    await expectFailure(store.set(things.ref('two'), thing), 'store.read_only')
    expect((await store.get(things.ref('one')))?.data).toEqual(thing)
  })

  test('another process that keeps the file locked causes an error with a code, not a hang', async () => {
    const path = freshPath()
    await using store = openSqliteStore(path, { queries })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expectFailure(store.set(things.ref('one'), thing), 'store.contention')
    other.exec('ROLLBACK')
    other.close()
    await store.set(things.ref('one'), thing)
  })

  test('after close every call fails with a code', async () => {
    const store = openSqliteStore(freshPath(), { queries })
    await store.close()
    await store.close()
    await expectFailure(store.get(things.ref('one')), 'store.unavailable')
    await expectFailure(store.set(things.ref('one'), thing), 'store.unavailable')
  })

  test('an unknown error becomes store.unavailable, with its cause', () => {
    const cause = new Error('odd')
    expect(storeFailure(cause)).toMatchObject({ key: 'store.unavailable', cause })
  })
})

describe('indexes', () => {
  test('every form of a declared query seeks in its own index and sorts nothing', () => {
    const falling = declareQuery('falling', things, {
      equals: ['group'],
      order: 'n',
      direction: 'descending',
    })
    const db = openDatabase(':memory:')
    new SqliteStore(db, { queries: [byGroup, falling] })
    for (const query of [byGroup, falling])
      for (const bounds of [{}, { from: 1 }, { to: 2 }, { from: 1, to: 2 }, { after: [1, 'a'] as const }]) {
        const { sql, values } = querySql(query, { where: { group: 'a' }, limit: 5, ...bounds })
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
        expect(plan).toHaveLength(1)
        const range = Object.keys(bounds).length > 0 ? /<expr>=\? AND <expr>[<>]/ : /<expr>=\?/
        expect(plan[0]?.detail).toMatch(range)
      }
  })

  test('a query declared later finds what was written before, one no longer declared leaves no index', async () => {
    const path = freshPath()
    const old = declareQuery('old', things, { equals: ['n'], order: 'group' })
    const first = openSqliteStore(path, { queries: [old] })
    await first.create(things.ref('one'), thing)
    await first.close()
    const db = openDatabase(path)
    await using second = new SqliteStore(db, { queries })
    expect((await second.query(byGroup, { where: { group: 'a' }, limit: 1 })).items).toHaveLength(1)
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'query%'").all()
    expect(names).toEqual([{ name: expect.stringMatching(/^query_byGroup_/) }])
  })

  test('a bad table of queries is refused at the start', () => {
    const twice = [byGroup, declareQuery('byGroup', things, { equals: [], order: 'n' })]
    const odd = [{ ...byGroup, order: "n') --" as 'n' }]
    for (const table of [twice, odd])
      expect(() => openSqliteStore(':memory:', { queries: table })).toThrow(/PT-0015/)
  })
})

test('purge: documents past their ttl are deleted in slices; the rest stays', async () => {
  await using store = openSqliteStore(':memory:', { queries })
  const put = (count: number, name: string, data: Thing) =>
    Promise.all(Array.from({ length: count }, (_, n) => store.set(things.ref(`${name}${n}`), data)))
  await put(purgeSlice + 5, 'past', { ...thing, ttl: new Date(1_000) })
  await put(3, 'future', { ...thing, ttl: new Date(1_001) })
  await put(3, 'without', thing)
  expect(await store.purgeExpired(1_000)).toEqual({ things: purgeSlice })
  expect(await store.purgeExpired(1_000)).toEqual({ things: 5 })
  expect(await store.purgeExpired(1_000)).toEqual({})
  expect((await store.query(byGroup, { where: { group: 'a' }, limit: 50 })).items).toHaveLength(6)
})

test.each([2 ** 53, 2 ** 60, -(2 ** 60), 2 ** 62 + 2 ** 12, 2 ** 63, -(2 ** 63), 1e19, 1e21, 1e300, 0.1])(
  'a query finds %d at its bounds, and its pages go on behind it',
  async (n) => {
    await using store = openSqliteStore(':memory:', { queries })
    for (const id of ['a', 'b']) await store.set(things.ref(id), { group: 'a', n })
    const page = async (after?: readonly [string | number, string]) =>
      store.query(byGroup, { where: { group: 'a' }, from: n, to: n, limit: 1, ...(after && { after }) })
    const first = await page()
    expect(first.items.map(({ ref, data }) => [ref.id, data.n])).toEqual([['a', n]])
    const second = await page(first.next)
    expect(second.items.map(({ ref, data }) => [ref.id, data.n])).toEqual([['b', n]])
  },
)

/** The list of tunnels: what it finds, in which order, page by page, and how many documents that takes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { codes, type ErrorKey } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { type TunnelDoc, tunnels } from './documents.ts'
import type { Store } from './platform.ts'
import { refusalLastsMs } from './refusals.ts'
import { releaseLeases } from './releases.ts'
import { findTunnels, type TunnelFilter } from './tunnel-list.ts'
import { createTunnel, deleteTunnel } from './tunnels.ts'
import { recordUpstreams } from './upstream-reports.ts'

const agent = newId('agt', 1)
let t: TestControl
let ada: Caller
let reads = 0

/** Counts documents as Firestore bills them. */
function counted(store: Store): Store {
  return {
    ...bound(store),
    async get(ref) {
      reads += 1
      return store.get(ref)
    },
    async getAll(refs) {
      reads += refs.length
      return store.getAll(refs)
    },
    async query(query, options) {
      const page = await store.query(query, options)
      reads += page.items.length
      return page
    },
  }
}

function bound(store: Store): Store {
  return {
    get: (ref) => store.get(ref),
    getAll: (refs) => store.getAll(refs),
    create: (ref, data) => store.create(ref, data),
    set: (ref, data) => store.set(ref, data),
    update: (ref, fields, condition) => store.update(ref, fields, condition),
    delete: (ref, condition) => store.delete(ref, condition),
    batch: (writes) => store.batch(writes),
    change: (ref, fn, options) => store.change(ref, fn, options),
    transact: (fn, options) => store.transact(fn, options),
    query: (query, options) => store.query(query, options),
    close: () => store.close(),
  }
}

beforeEach(async () => {
  t = makeTestControl({ plan: 'unlimited', wrapStore: counted })
  await t.openCell({ portTo: 20_099 })
  ada = await t.caller()
})
afterEach(() => t.close())

async function serve(name: string, key?: ErrorKey) {
  t.clock.advance(1)
  const request = { agent, tunnels: [{ name, kind: 'tcp' as const }], takeover: false }
  const [first] = (await claimLeases(t.control, ada, request)).results
  if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
  const { tunnel, epoch, endpoint } = first.lease
  await t.sync({ bound: [{ tunnel, epoch, endpoint: endpoint.id }] })
  const upstreams = key ? [{ tunnel, epoch, code: codes[key].code }] : []
  if (key) await recordUpstreams(t.of(ada), ada, { agent, upstreams })
  return first.lease
}

async function define(name: string, kind: 'tcp' | 'http' = 'tcp') {
  t.clock.advance(1)
  return createTunnel(t.of(ada), ada, { name, kind, policy: {} })
}

/** Written past the rules: a thousand of them cost no time. */
async function defineMany(count: number) {
  const sample = await define('many')
  const others = Array.from({ length: count - 1 }, (_, n) => {
    const data: TunnelDoc = { ...sample.data, name: `many-${n}`, createdAt: t.clock.now() - n }
    return { op: 'create' as const, ref: tunnels.ref(newId('tun', data.createdAt)), data }
  })
  for (let from = 0; from < others.length; from += 400)
    await t.control.store.batch(others.slice(from, from + 400))
}

const find = (filter: Partial<TunnelFilter> = {}, wish: { limit?: number; caller?: Caller } = {}) =>
  findTunnels(t.of(ada), wish.caller ?? ada, {
    filter: { sort: 'trouble', ...filter },
    limit: wish.limit ?? 100,
  })

/** Page by page to the end. */
async function walk(filter: Partial<TunnelFilter>, limit: number): Promise<readonly (readonly string[])[]> {
  const pages: string[][] = []
  let after: Awaited<ReturnType<typeof find>>['next']
  do {
    const page = await findTunnels(t.of(ada), ada, {
      filter: { sort: 'trouble', ...filter },
      limit,
      ...(after && { after }),
    })
    pages.push(page.items.map(({ name }) => name))
    after = page.next
  } while (after && pages.length < 100)
  return pages
}

/** One tunnel of each kind of state, in an order of creation that is not that of their trouble. */
async function oneOfEach() {
  await define('fresh')
  await serve('fine')
  const gone = await serve('gone')
  await releaseLeases(t.control, ada, { agent, tunnels: [gone.tunnel] })
  await serve('failing', 'upstream.refused')
  const { ref } = await define('denied', 'http')
  const refused = { code: 'PT-3001', since: t.clock.now(), at: t.clock.now() }
  await t.control.store.update(tunnels.ref(ref.id), { refused, refusedAt: t.clock.now() })
}

describe('the list of tunnels: tags, and when each was last served', () => {
  const tag = async (name: string, tags: string[]) => {
    t.clock.advance(1)
    await createTunnel(t.of(ada), ada, { name, kind: 'tcp', policy: {}, tags })
  }

  test.each(['trouble', 'name', 'newest'] as const)(
    'a tag is found whole, and part of one by a search: %s',
    async (sort) => {
      await tag('web', ['prod', 'team:web'])
      await tag('db', ['prod'])
      await tag('test', ['product'])
      await define('bare')
      await serve('web')
      expect((await walk({ tag: 'prod', sort }, 1)).flat().toSorted()).toEqual(['db', 'web'])
      expect((await find({ tag: 'pro', sort })).items).toEqual([])
      const { items } = await find({ search: 'PROD', sort })
      expect(items.map(({ name }) => name).toSorted()).toEqual(['db', 'test', 'web'])
    },
  )

  test('when it was last served is told once nobody serves it, and not before', async () => {
    const { tunnel } = await serve('web')
    await define('fresh')
    const seen = async () => (await find()).items.map(({ name, lastServedAt }) => [name, lastServedAt])
    expect(await seen()).toEqual([
      ['web', undefined],
      ['fresh', undefined],
    ])
    await releaseLeases(t.control, ada, { agent, tunnels: [tunnel] })
    const endedAt = t.clock.now()
    t.clock.advance(60_000)
    expect(await seen()).toEqual([
      ['web', endedAt],
      ['fresh', undefined],
    ])
  })
})

describe('the list of tunnels, trouble first', () => {
  test('has what needs a look before what works, and what nobody serves at the end', async () => {
    await oneOfEach()
    const { items, counts, next } = await find()
    expect(items.map(({ name, state }) => [name, state])).toEqual([
      ['failing', 'upstream_failing'],
      ['denied', 'refused'],
      ['fine', 'healthy'],
      ['gone', 'offline'],
      ['fresh', 'never_used'],
    ])
    expect(next).toBeUndefined()
    expect(counts).toEqual({
      total: 5,
      upstream_failing: 1,
      refused: 1,
      degraded: 0,
      connecting: 0,
      healthy: 1,
    })
  })

  test.each([1, 2, 3, 4, 5])('pages of %i show each tunnel once', async (limit) => {
    await oneOfEach()
    const pages = await walk({}, limit)
    expect(pages.flat().toSorted()).toEqual(['denied', 'failing', 'fine', 'fresh', 'gone'])
    expect(pages.flat().slice(0, 3)).toEqual(['failing', 'denied', 'fine'])
    for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit)
  })

  test('a refusal that is two hours old is none any more', async () => {
    await oneOfEach()
    t.clock.advance(refusalLastsMs)
    await t.sync()
    const denied = (await find()).items.find(({ name }) => name === 'denied')
    expect(denied?.state).toBe('never_used')
  })

  test('a tunnel with a lease whose agents are all gone is offline, and listed once', async () => {
    const { tunnel, epoch, endpoint } = await serve('lost')
    t.clock.advance(120_000)
    await t.sync({ away: [{ tunnel, epoch, endpoint: endpoint.id, away: true }], bound: [] })
    expect((await find()).items.map(({ name, state }) => [name, state])).toEqual([['lost', 'offline']])
  })

  test('one that is deleted while somebody reads on does not end the list', async () => {
    const first = await serve('a')
    await serve('b')
    const page = await find({}, { limit: 1 })
    expect(page.items.map(({ name }) => name)).toEqual(['b'])
    await deleteTunnel(t.of(ada), ada, { id: first.tunnel })
    const rest = await findTunnels(t.of(ada), ada, {
      filter: { sort: 'trouble' },
      limit: 1,
      ...(page.next && { after: page.next }),
    })
    expect(rest.items).toEqual([])
  })

  test('costs few reads among a thousand tunnels: leases, and the page itself', async () => {
    await defineMany(1_000)
    for (let n = 0; n < 5; n++) await serve(`served-${n}`)
    await serve('failing', 'upstream.refused')
    await find()
    reads = 0
    const { items, counts } = await find({}, { limit: 50 })
    expect(items[0]?.name).toBe('failing')
    expect(items).toHaveLength(50)
    expect(counts?.upstream_failing).toBe(1)
    // 6 leases, 6 tunnels with their endpoints, 44 others and up to 20 to spare, the count.
    expect(reads).toBeLessThanOrEqual(6 * 3 + 44 + 20 + 6 + 1)
  })

  test('a short page of many that are served reads only its own', async () => {
    for (let n = 0; n < 12; n++) await serve(`served-${n}`)
    await find()
    reads = 0
    expect((await find({}, { limit: 2 })).items.map(({ name }) => name)).toEqual(['served-11', 'served-10'])
    expect(reads, '12 leases, 2 tunnels with their endpoints, the count').toBeLessThanOrEqual(12 + 4 + 1)
  })

  test('a refusal that an earlier release recorded is listed too', async () => {
    await serve('fine')
    const { ref } = await define('denied')
    const refused = { code: 'PT-3001', since: t.clock.now(), at: t.clock.now() }
    await t.control.store.update(tunnels.ref(ref.id), { refused })
    expect((await find()).items.map(({ name, state }) => [name, state])).toEqual([
      ['fine', 'healthy'],
      ['denied', 'refused'],
    ])
  })
})

describe('a search', () => {
  test.each([
    ['part of a name', { search: 'AIL' }, ['failing']],
    ['a state', { state: ['offline', 'refused'] as const }, ['denied', 'gone']],
    ['a kind', { kind: 'http' as const }, ['denied']],
    ['a kind and a state', { kind: 'tcp' as const, state: ['never_used'] as const }, ['fresh']],
    ['nothing that there is', { search: 'zzz' }, []],
  ])('finds %s', async (_, filter, names) => {
    await oneOfEach()
    for (const sort of ['trouble', 'name', 'newest'] as const) {
      const { items } = await find({ ...filter, sort })
      expect([sort, items.map(({ name }) => name).toSorted()]).toEqual([sort, names])
    }
  })

  test('finds an address and an id', async () => {
    const { endpoint, tunnel } = await serve('db')
    await serve('other')
    for (const search of [`tunnel.example.com:${endpoint.port}`, tunnel.toUpperCase()])
      expect((await find({ search })).items.map(({ name }) => name)).toEqual(['db'])
  })

  test('looks at a bounded number of tunnels in one call, and goes on from there', async () => {
    await define('needle')
    t.clock.advance(60_000)
    await defineMany(1_200)
    reads = 0
    const first = await find({ search: 'needle' })
    expect(first.items).toEqual([])
    expect(first.next).toBeDefined()
    expect(reads).toBeLessThanOrEqual(510)
    expect((await walk({ search: 'needle' }, 100)).flat()).toEqual(['needle'])
  })
})

describe('an order', () => {
  test('by name or by age, over pages', async () => {
    for (const name of ['b', 'c', 'a']) await define(name)
    expect(await walk({ sort: 'name' }, 2)).toEqual([['a', 'b'], ['c']])
    expect(await walk({ sort: 'newest' }, 2)).toEqual([['a', 'c'], ['b']])
  })
})

describe('a key that is bound to some tunnels', () => {
  test('finds only those in any order, and hears no counts of others', async () => {
    await oneOfEach()
    const caller = { ...ada, tunnels: new Set(['fine', 'fresh']) }
    for (const sort of ['trouble', 'name', 'newest'] as const) {
      const { items, counts } = await find({ sort }, { caller })
      expect([sort, items.map(({ name }) => name).toSorted()]).toEqual([sort, ['fine', 'fresh']])
      expect(counts).toBeUndefined()
    }
  })
})

test('another account sees nothing of it', async () => {
  await oneOfEach()
  const eve = await t.caller('eve@example.com')
  const found = await findTunnels(t.of(eve), eve, { filter: { sort: 'trouble' }, limit: 100 })
  expect(found.items).toEqual([])
  expect(found.counts).toMatchObject({ total: 0, healthy: 0 })
})

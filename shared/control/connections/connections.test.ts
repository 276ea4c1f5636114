/** Kept connections: stored once, only while the owner wants it, and found again in the right order. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../../standalone/testing/control.ts'
import type { ConnectionBatch, EndedRow } from '../../api/schemas/connections.ts'
import { newId } from '../../base/ids.ts'
import { countingStore } from '../../testing/counting-store.ts'
import type { Caller } from '../caller.ts'
import { controlOf } from '../control.ts'
import { createTunnel, updateTunnel } from '../tunnels.ts'
import { packRows, unpackRows } from './packing.ts'
import { type ConnectionPosition, eraseConnections, readConnections } from './reading.ts'

const minute = 60_000
const day = 24 * 60 * minute
const { boot } = quietSync.boot
let t: TestControl
let ada: Caller
let tunnel: string
let counted: ReturnType<typeof countingStore>
beforeEach(async () => {
  t = makeTestControl({
    wrapStore(store) {
      counted = countingStore(store)
      return counted.store
    },
  })
  await t.openCell()
  ada = await t.caller()
  tunnel = await make({ keepConnections: 'whole' })
})
afterEach(() => t.close())

const own = () => controlOf(t.control, ada.account)
async function make(policy: { keepConnections?: 'whole' }) {
  const name = `t${Math.floor(Math.random() * 1e9)}`
  const made = await createTunnel(own(), ada, { name, kind: 'tcp', policy })
  await t.control.store.change(made.ref, (doc) => (doc ? { ...doc, cell: 'home' } : 'keep'))
  return made.ref.id
}
const rowAt = (after: number, changes: { address?: string; code?: number } = {}): EndedRow => [
  after,
  10,
  changes.address ?? '192.0.2.7',
  1,
  2,
  changes.code ?? 0,
]
const batch = (changes: Partial<ConnectionBatch> = {}): ConnectionBatch => {
  const rows = changes.rows ?? [rowAt(0)]
  return {
    tunnel,
    account: ada.account,
    boot,
    number: 0,
    from: t.clock.now() - minute,
    counted: rows.length,
    rows,
    ...changes,
  }
}
const report = (...connections: ConnectionBatch[]) => t.sync({ connections })
const read = (wish: Partial<Parameters<typeof readConnections>[3]> = {}, id = tunnel) =>
  readConnections(own(), ada, id, { limit: 50, ...wish })

describe('storing', () => {
  test('a report that is repeated changes nothing', async () => {
    const sent = batch({ rows: [rowAt(0), rowAt(5, { code: 3022 })], counted: 9 })
    await report(sent)
    await report(sent, { ...sent, rows: [rowAt(0)] })
    const page = await read()
    expect(page.items.map(({ code }) => code)).toEqual(['PT-3022', undefined])
    expect(page).toMatchObject({ keeps: 'whole', counted: 9, kept: 2 })
    expect(page.next).toBeUndefined()
  })

  test('nothing of tunnels that do not keep, of foreign accounts and of deleted tunnels', async () => {
    const quiet = await make({})
    await report(
      batch({ tunnel: quiet }),
      batch({ account: newId('acc', 9) }),
      batch({ tunnel: newId('tun', 9) }),
    )
    expect((await read({}, quiet)).items).toEqual([])
    expect((await read()).items).toEqual([])
  })

  test('what was turned off meanwhile is not stored', async () => {
    await updateTunnel(own(), ada, { id: tunnel, change: { policy: {} } })
    await report(batch())
    expect(await read()).toMatchObject({ keeps: 'off', items: [] })
  })

  test('a relay that keeps nothing costs nothing more', async () => {
    await t.sync()
    const before = { ...counted.counts }
    await t.sync()
    const without = counted.counts.reads - before.reads
    const middle = { ...counted.counts }
    await t.sync({ connections: [] })
    expect(counted.counts.reads - middle.reads).toBe(without)
  })

  test('it is kept as long as the plan says, and no longer shown then', async () => {
    await report(batch())
    expect((await read()).items).toHaveLength(1)
    t.clock.advance(31 * day)
    expect((await read()).items).toEqual([])
  })
})

describe('reading', () => {
  test('pages of reports that overlap have everything once, the last ends first', async () => {
    const from = t.clock.now() - 15 * minute
    const batches = Array.from({ length: 7 }, (_, n) =>
      batch({
        number: n,
        from: from + n * 1_000,
        rows: Array.from({ length: 30 }, (__, at) => rowAt(at * 9_000 + (at % 3), { code: n + 1 })),
      }),
    )
    await report(...batches)
    const ends: number[] = []
    let after: ConnectionPosition | undefined
    do {
      const page = await read({ limit: 13, after })
      expect(page.items.length).toBeLessThanOrEqual(13)
      ends.push(...page.items.map(({ endedAt }) => endedAt))
      after = page.next
    } while (after)
    const all = batches.flatMap((each) => each.rows.map(([at]) => each.from + at))
    expect(ends).toEqual(all.toSorted((a, b) => b - a))
  })

  test('by address, network, code and time', async () => {
    const from = t.clock.now() - 10 * minute
    const rows = [
      rowAt(0, { address: '192.0.2.7' }),
      rowAt(1_000, { address: '192.0.2.0/24', code: 3022 }),
      rowAt(2_000, { address: '2001:db8::1' }),
    ]
    await report(batch({ from, rows }))
    const ends = async (wish: Parameters<typeof read>[0]) =>
      (await read(wish)).items.map(({ endedAt }) => endedAt - from)
    expect(await ends({ address: '192.0.2.7' })).toEqual([1_000, 0])
    expect(await ends({ address: '2001:db8::/32' })).toEqual([2_000])
    expect(await ends({ code: 'PT-3022' })).toEqual([1_000])
    expect(await ends({ failed: false })).toEqual([2_000, 0])
    expect(await ends({ from: from + 500, to: from + 1_500 })).toEqual([1_000])
  })

  test('one page reads a bounded number of reports, and the next goes on', async () => {
    const now = t.clock.now()
    const old = Array.from({ length: 200 }, (_, n) =>
      batch({ number: n, from: now - (n + 1) * minute, rows: [rowAt(0, { code: n === 199 ? 3022 : 0 })] }),
    )
    await report(...old)
    const first = await read({ code: 'PT-3022' })
    expect([first.items.length, first.next === undefined]).toEqual([0, false])
    const second = await read({ code: 'PT-3022', after: first.next })
    expect(second.items).toHaveLength(1)
    expect(second.next).toBeUndefined()
  })

  test('another account finds no such tunnel', async () => {
    const eve = await t.caller('eve@example.com')
    await expect(
      readConnections(controlOf(t.control, eve.account), eve, tunnel, { limit: 1 }),
    ).rejects.toMatchObject({ key: 'api.not_found' })
  })

  test('a damaged document hides no other', () => {
    expect(unpackRows('not packed')).toEqual([])
    expect(unpackRows(packRows([rowAt(1)]))).toEqual([rowAt(1)])
  })
})

test('erasing leaves nothing, and the audit log says who did it', async () => {
  await report(batch())
  expect(await eraseConnections(own(), ada, tunnel)).toEqual({ more: false })
  expect((await read()).items).toEqual([])
  expect(JSON.stringify(t.documents())).toContain('connections.erased')
  expect(JSON.stringify(t.documents())).not.toContain(`"packed"`)
})

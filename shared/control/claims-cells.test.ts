import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import type { SyncRequest } from '../api/schemas/relays.ts'
import type { ClaimResult } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import { checkTicket } from '../protocol/ticket.ts'
import type { Caller } from './caller.ts'
import { listCells } from './cell-choice.ts'
import { ensureCell } from './cells.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { cells, relays } from './documents.ts'
import { syncRelay } from './relays.ts'
import { moveToTunnel } from './reservation-moves.ts'
import { reserveName, reservePort } from './reserving.ts'

const agent = newId('agt', 1)
const relayOf = (n: number) => `rel_${`${n}`.padStart(26, '0')}`
let t: TestControl
let ada: Caller

beforeEach(async () => {
  t = makeTestControl()
  ada = await t.caller()
  await openCell('north', 1)
})
afterEach(() => t.close())

async function openCell(id: string, n: number): Promise<void> {
  const domain = `${id}.example.com`
  const face = { httpScheme: 'http', httpPort: 8080, tlsPort: 8443 } as const
  await ensureCell(t.control, { id, host: domain, domain, portFrom: 20_000, portTo: 20_009, ...face })
  await syncOf(id, n)
}

/** The relay of a cell reports. */
async function syncOf(cell: string, n: number, bound: SyncRequest['bound'] = []): Promise<void> {
  const boot = {
    ...quietSync.boot,
    instance: `r-${cell}`,
    agentAddress: { host: '192.0.2.10', port: 7000 + n, sni: `r.${cell}.example.com` },
  }
  await syncRelay(t.control, { relay: relayOf(n), cell }, { ...quietSync, boot, bound })
}

const claim = (tunnels: { name: string; kind: 'tcp' | 'http' }[]) =>
  claimLeases(t.control, ada, { agent, tunnels, takeover: false })

function leasesOf({ results }: ClaimResult) {
  return results.map((result) => {
    if (!('lease' in result)) throw new Error(JSON.stringify(result.problem))
    return result.lease
  })
}

/** `db` in the north, `web` in the south. */
async function claimTwo() {
  await claim([{ name: 'db', kind: 'tcp' }])
  await t.control.store.update(cells.ref('north'), { state: 'closed' })
  await openCell('south', 20)
  t.control.cells.forget('north')
  await claim([{ name: 'web', kind: 'http' }])
  await t.control.store.update(cells.ref('north'), { state: 'open' })
  t.control.cells.forget('north')
  await syncOf('north', 1)
}

const both = [
  { name: 'db', kind: 'tcp' },
  { name: 'web', kind: 'http' },
] as const

describe('an agent with tunnels in two cells', () => {
  test.each(['claim', 'renewal'])('gets the host and the relays of each cell with a %s', async (call) => {
    await claimTwo()
    const claimed = await claim([...both])
    const wanted = leasesOf(claimed).map(({ tunnel, epoch }) => ({ tunnel, epoch }))
    const result =
      call === 'claim' ? claimed : await renewLeases(t.control, ada, { agent, leases: [...wanted] })
    const [db, web] = leasesOf(result)
    expect(db).toMatchObject({ cell: 'north', endpoint: { host: 'north.example.com' } })
    expect(web).toMatchObject({ cell: 'south', endpoint: { host: 'web.south.example.com' } })
    expect([result.cell, result.relays.map(({ port }) => port)]).toEqual(['north', [7001]])
    expect(result.otherCells?.map(({ cell, relays }) => [cell, relays.map(({ port }) => port)])).toEqual([
      ['south', [7020]],
    ])
    const { jwks } = await t.control.signer.publicKeys()
    for (const lease of [db, web])
      await checkTicket(lease?.ticket ?? '', { keys: jwks, cell: lease?.cell ?? '', nowMs: t.clock.now() })
  })

  test('with one cell the answer is as before: its relays, and no others', async () => {
    const result = await claim([...both])
    expect([result.cell, result.otherCells, result.relays.length]).toEqual(['north', undefined, 1])
  })

  test('a cell without a relay fails only the tunnels in it', async () => {
    await claimTwo()
    await t.control.store.delete(relays.ref(`${relayOf(20)}:r-south`))
    t.control.cells.forget('south')
    const { results, cell } = await claim([...both])
    const keys = results.map((one) => ('problem' in one ? keyOfCode(one.problem.code) : 'leased'))
    expect([cell, keys]).toEqual(['north', ['leased', 'cell.none']])
  })
})

describe('a cell that the agent chooses', () => {
  const other = newId('agt', 2)
  const ask = (changes: object, by = agent) =>
    claimLeases(t.control, ada, {
      agent: by,
      tunnels: [{ name: 'web', kind: 'http' }],
      takeover: false,
      ...changes,
    })
  const cellOf = async (changes: object) => leasesOf(await ask(changes))[0]?.cell
  const problemOf = ({ results: [one] }: ClaimResult) => (one && 'problem' in one ? one.problem : undefined)
  beforeEach(() => openCell('south', 20))

  test('open cells are listed with a relay of each', async () => {
    await openCell('west', 30)
    await t.control.store.update(cells.ref('west'), { state: 'closed' })
    t.control.cells.forget('west')
    expect(await listCells(t.control)).toEqual({
      cells: [
        { id: 'north', host: '192.0.2.10', port: 7001, sni: expect.any(String) },
        { id: 'south', host: '192.0.2.10', port: 7020, sni: expect.any(String) },
      ],
    })
  })

  test('a new tunnel goes to the nearest open cell, and stays there whatever is nearer later', async () => {
    expect(await cellOf({ near: ['nowhere', 'south', 'north'] })).toBe('south')
    expect(await cellOf({ near: ['north'] })).toBe('south')
  })

  test('if the nearest cell has no port left, the tunnel goes to the next one, unless a cell was named', async () => {
    const face = { httpScheme: 'http', httpPort: 8080, tlsPort: 8443 } as const
    const domain = 'north.example.com'
    await ensureCell(t.control, {
      id: 'north',
      host: domain,
      domain,
      portFrom: 20_000,
      portTo: 20_000,
      ...face,
    })
    const db = (name: string) => ({ tunnels: [{ name, kind: 'tcp' }], near: ['north', 'south'] })
    expect(await cellOf(db('a'))).toBe('north')
    const second = await ask(db('b'))
    expect(leasesOf(second)[0]?.cell).toBe('south')
    expect([second.cell, second.otherCells?.map(({ cell }) => cell)]).toEqual(['north', ['south']])
    const refused = problemOf(await ask({ ...db('c'), cell: 'north' }))
    expect(keyOfCode(refused?.code ?? '')).toBe('endpoint.exhausted')
  })

  test('a named cell gets the tunnel, also from another cell, with a new address', async () => {
    expect(await cellOf({ near: ['north'] })).toBe('north')
    const [moved] = leasesOf(await ask({ cell: 'south' }))
    expect(moved).toMatchObject({ cell: 'south', endpoint: { host: 'web.south.example.com' } })
  })

  test('an unknown or closed cell is refused, and the error lists open ones', async () => {
    await expect(ask({ cell: 'nowhere' })).rejects.toMatchObject({
      key: 'cell.unknown',
      detail: 'There is no cell "nowhere". Open: north, south.',
    })
    await t.control.store.update(cells.ref('south'), { state: 'closed' })
    t.control.cells.forget('south')
    await expect(ask({ cell: 'south' })).rejects.toMatchObject({
      detail: 'The cell "south" takes no new tunnels. Open: north.',
    })
  })

  test('another agent moves a tunnel only when the relays of the cell that it leaves say that nobody serves it', async () => {
    const [lease] = leasesOf(await ask({ cell: 'north' }))
    if (!lease) throw new Error('no lease')
    const serves = { tunnel: lease.tunnel, epoch: lease.epoch, endpoint: lease.endpoint.id }
    const pass = async (ms: number, isServed: boolean) => {
      for (let left = ms; left > 0; left -= limits.syncMs) {
        t.clock.advance(limits.syncMs)
        await syncOf('north', 1, isServed ? [serves] : [])
        await syncOf('south', 20)
      }
    }
    await pass(2 * limits.awayMs, true)
    const refused = problemOf(await ask({ cell: 'south', waitedMs: limits.awayMs }, other))
    expect(keyOfCode(refused?.code ?? '')).toBe('lease.held')
    await pass(2 * limits.awayMs, false)
    const [taken] = leasesOf(await ask({ cell: 'south', waitedMs: limits.awayMs }, other))
    expect(taken).toMatchObject({ cell: 'south' })
  })
})

describe('what an account keeps in one of two cells', () => {
  const near = ['south', 'north']
  const claimNear = (tunnels: { name?: string; kind: 'tcp' | 'http'; port?: number }[]) =>
    claimLeases(t.control, ada, { agent, tunnels, takeover: false, near })

  test('a new tunnel of that name goes there, however near another one is', async () => {
    await openCell('south', 20)
    await reserveName(t.control, ada, { name: 'shop', cell: 'north' })
    const [shop, other] = leasesOf(
      await claimNear([
        { name: 'shop', kind: 'http' },
        { name: 'other', kind: 'http' },
      ]),
    )
    expect(shop).toMatchObject({ cell: 'north', endpoint: { host: 'shop.north.example.com' } })
    expect(other).toMatchObject({ cell: 'south' })
  })

  test('a whole host says which cell is meant; a bare name means the cell of the tunnel with that name', async () => {
    await openCell('south', 20)
    const named = await reserveName(t.control, ada, { name: 'shop.South.example.com.' })
    expect(named.ref.id).toBe('host:shop.south.example.com')
    await claimNear([{ name: 'web', kind: 'http' }])
    expect((await reserveName(t.control, ada, { name: 'web' })).ref.id).toBe('host:web.south.example.com')
  })

  test('so does a tunnel that asks for a kept port, with or without a name', async () => {
    await openCell('south', 20)
    for (const port of [20_003, 20_004]) await reservePort(t.control, ada, { port, cell: 'north' })
    const leases = leasesOf(
      await claimNear([
        { name: 'db', kind: 'tcp', port: 20_003 },
        { kind: 'tcp', port: 20_004 },
        { kind: 'tcp', port: 20_005 },
      ]),
    )
    expect(leases.map(({ endpoint }) => endpoint.id)).toEqual([
      'tcp:north:20003',
      'tcp:north:20004',
      'tcp:south:20005',
    ])
  })

  test('a port given to a tunnel moves the tunnel to the port’s cell', async () => {
    await openCell('south', 20)
    const [db] = leasesOf(await claimNear([{ name: 'db', kind: 'tcp' }]))
    const kept = await reservePort(t.control, ada, { port: 20_007, cell: 'north' })
    await moveToTunnel(t.control, ada, { id: kept.ref.id, tunnel: db?.tunnel })
    const [moved] = leasesOf(await claimNear([{ name: 'db', kind: 'tcp' }]))
    expect([db?.cell, moved?.cell, moved?.endpoint.id]).toEqual(['south', 'north', 'tcp:north:20007'])
  })
})

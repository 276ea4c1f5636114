import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import type { ClaimResult } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { checkTicket } from '../protocol/ticket.ts'
import type { Caller } from './caller.ts'
import { ensureCell } from './cells.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { cells, relays } from './documents.ts'
import { syncRelay } from './relays.ts'

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
async function syncOf(cell: string, n: number): Promise<void> {
  const boot = {
    ...quietSync.boot,
    instance: `r-${cell}`,
    agentAddress: { host: '192.0.2.10', port: 7000 + n, sni: `r.${cell}.example.com` },
  }
  await syncRelay(t.control, { relay: relayOf(n), cell }, { ...quietSync, boot })
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
  test.each(['claim', 'renewal'])('gets the host and the relays of each with a %s', async (call) => {
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

  test('one cell is answered as before: its relays, and no others', async () => {
    const result = await claim([...both])
    expect([result.cell, result.otherCells, result.relays.length]).toEqual(['north', undefined, 1])
  })

  test('a cell without a relay spoils only the tunnels that lie there', async () => {
    await claimTwo()
    await t.control.store.delete(relays.ref(`${relayOf(20)}:r-south`))
    t.control.cells.forget('south')
    const { results, cell } = await claim([...both])
    const keys = results.map((one) => ('problem' in one ? keyOfCode(one.problem.code) : 'leased'))
    expect([cell, keys]).toEqual(['north', ['leased', 'cell.none']])
  })
})

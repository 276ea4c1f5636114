/** An own domain keeps leading to its tunnel when that moves to another cell. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../../standalone/testing/control.ts'
import { keyOfCode } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { Zones } from '../../testing/zones.ts'
import type { Caller } from '../caller.ts'
import { ensureCell } from '../cells.ts'
import { claimLeases } from '../claims.ts'
import { noDns } from '../own-records.ts'
import type { Dns, ZoneRecord } from '../platform.ts'
import { syncRelay } from '../relays.ts'
import { createTunnel } from '../tunnels.ts'
import { describeDomains } from './describing.ts'
import { addDomain, askAgain, giveDomain, readDomain } from './domains.ts'
import { proofOf } from './proof.ts'

const host = 'app.example.com'
const agent = newId('agt', 1)
const addresses = { north: '8.8.8.8', south: '9.9.9.9', west: '1.1.1.1' } as const
type CellId = keyof typeof addresses
const cellIds = Object.keys(addresses) as CellId[]

let t: TestControl
let ada: Caller
let zones: Zones
let kept: readonly ZoneRecord[]

async function open(dns: Dns) {
  zones = new Zones()
  kept = []
  t = makeTestControl({ dns, inquiries: zones })
  ada = await t.caller()
  for (const id of cellIds) {
    const domain = `${id}.example.net`
    const face = { httpScheme: 'http', httpPort: 8080, tlsPort: 8443 } as const
    await ensureCell(t.control, { id, host: domain, domain, portFrom: 20_000, portTo: 20_009, ...face })
  }
  await reportAll()
}
afterEach(() => t.close())

async function reportAll() {
  for (const [n, id] of cellIds.entries()) {
    const agentAddress = { host: addresses[id], port: 7_000, sni: `r.${id}.example.net` }
    const boot = { ...quietSync.boot, instance: `r-${id}`, agentAddress }
    await syncRelay(t.control, { relay: `rel_${`${n}`.padStart(26, '0')}`, cell: id }, { ...quietSync, boot })
  }
}

/** Claims `web` in this cell, and lets the jobs run that follow from it. */
async function serveIn(cell: CellId) {
  const tunnels = [{ name: 'web', kind: 'http' as const }]
  const { results } = await claimLeases(t.control, ada, { agent, tunnels, takeover: false, cell })
  const [result] = results
  if (!result || !('lease' in result)) throw new Error(JSON.stringify(result))
  // The first round looks at the claim, and the next one writes what follows from it.
  for (let round = 0; round < 2; round++) await t.runJobs()
  return result.lease.tunnel
}

async function proof() {
  return proofOf(t.control, (await readDomain(t.control, ada, host)).data, [])
}

/** The domain of the tunnel is verified by a CNAME to the target in this cell, which is what people are told. */
async function verify(cell: CellId) {
  zones.aliases.set(host, `${(await proof()).token}.to.${cell}.example.net`)
  t.clock.advance(60_000)
  await askAgain(t.control, ada, host)
  await t.runJobs()
  const { data } = await readDomain(t.control, ada, host)
  expect([data.state, data.findings]).toEqual(['verified', []])
}

/** What a person is told: the value of the CNAME, and what is wrong. */
async function told() {
  const [domain] = await describeDomains(t.control, [await readDomain(t.control, ada, host)])
  const value = domain?.records.find(({ type }) => type === 'CNAME')?.value.replace(/^[^.]+/, 'T')
  return [value, ...(domain?.findings ?? []).map(({ code }) => keyOfCode(code))]
}

describe('where the service keeps its own records', () => {
  beforeEach(() =>
    open({
      ...noDns,
      kind: 'cloudflare',
      keep: async (wanted) => {
        kept = wanted
        return { made: 0, removed: 0, foreign: [] }
      },
    }),
  )
  /** The records of targets, beside those of the cells. */
  const ofTargets = async () => {
    const { token } = await proof()
    return kept.flatMap(({ type, name, value }) =>
      name.startsWith(`${token}.`) ? [`${type} ${name.replace(token, 'T')} ${value}`] : [],
    )
  }

  test('the target of its record follows a tunnel to another cell, and back', async () => {
    const tunnel = await serveIn('north')
    await addDomain(t.control, ada, { host, tunnel })
    await verify('north')
    expect(await ofTargets(), 'the wildcard of the cell covers it').toEqual([])
    await serveIn('south')
    expect(await ofTargets()).toEqual(['A T.to.north.example.net 9.9.9.9'])
    expect(await told(), 'nobody has to change anything').toEqual(['T.to.north.example.net'])
    await serveIn('west')
    expect(await ofTargets()).toEqual(['A T.to.north.example.net 1.1.1.1'])
    await serveIn('north')
    expect(await ofTargets()).toEqual([])
  })

  test('a claim without a proof gets no records, and gets them with it', async () => {
    const { ref } = await createTunnel(t.of(ada), ada, { name: 'web', kind: 'http', policy: {} })
    await addDomain(t.control, ada, { host, tunnel: ref.id })
    const [value] = await told()
    const cell = value?.split('.')[2] as CellId
    const other = cellIds.find((id) => id !== cell) as CellId
    await serveIn(other)
    t.clock.advance(60_000)
    await t.runJobs()
    await t.runJobs()
    expect((await readDomain(t.control, ada, host)).data).toMatchObject({ state: 'pending', cellAway: other })
    expect(await ofTargets()).toEqual([])
    await verify(cell)
    await t.runJobs()
    expect(await ofTargets()).toEqual([`A T.to.${cell}.example.net ${addresses[other]}`])
  })

  test('also one that was told before the tunnel was anywhere, or that another tunnel gets', async () => {
    const { ref } = await createTunnel(t.of(ada), ada, { name: 'web', kind: 'http', policy: {} })
    await addDomain(t.control, ada, { host, tunnel: ref.id })
    const [value] = await told()
    const cell = value?.split('.')[2] as CellId
    await verify(cell)
    const other = cellIds.find((id) => id !== cell) as CellId
    await serveIn(other)
    expect(await ofTargets()).toEqual([`A T.to.${cell}.example.net ${addresses[other]}`])
    await giveDomain(t.control, ada, { host, tunnel: '' })
    await t.runJobs()
    expect(await told()).toEqual([`T.to.${cell}.example.net`])
    t.clock.advance(10 * 60_000)
    await reportAll()
    await t.runJobs()
    expect(await ofTargets()).toEqual([])
  })
})

test('where it does not, the owner is told the new record and what is wrong with the old one', async () => {
  await open(noDns)
  const tunnel = await serveIn('north')
  await addDomain(t.control, ada, { host, tunnel })
  await verify('north')
  await serveIn('south')
  expect(await told()).toEqual(['T.to.south.example.net', 'domain.other_cell'])
  expect((await readDomain(t.control, ada, host)).data.state).toBe('verified')
  await verify('south')
  expect(await told()).toEqual(['T.to.south.example.net'])
})

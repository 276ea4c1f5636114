/** Attacks on a plan's limits: going away and coming back, racing, claiming and deleting. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { ClaimResult, Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { endpoints } from './documents.ts'
import { createKey } from './keys.ts'
import { plans } from './plans.ts'
import { queries } from './query-table.ts'
import { releaseLeases } from './releases.ts'
import { createTunnel, deleteTunnel, listTunnels } from './tunnels.ts'

const minute = 60_000
const laptop = newId('agt', 1)

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl({ plan: 'free' })
  await t.openCell({ portTo: 20_199 })
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

type Wanted = { name?: string; kind: 'tcp' | 'http'; port?: number; agents?: 'many' }

const tcp = (...names: readonly string[]) => names.map((name) => ({ name, kind: 'tcp' as const }))

function claim(tunnels: Wanted[], { agent = laptop, caller = ada, seed = '' } = {}) {
  const request = { agent, tunnels, takeover: false }
  return claimLeases(t.control, caller, request, seed === '' ? {} : { seed })
}

function keysOf({ results }: ClaimResult) {
  return results.map((result) => ('problem' in result ? keyOfCode(result.problem.code) : 'leased'))
}

function leasesOf({ results }: ClaimResult): readonly Lease[] {
  return results.flatMap((result) => ('lease' in result ? [result.lease] : []))
}

async function renew(leases: readonly Lease[], agent = laptop) {
  const held = leases.map(({ tunnel, epoch }) => ({ tunnel, epoch }))
  return keysOf(await renewLeases(t.control, ada, { agent, leases: held }))
}

const report = ({ tunnel, epoch, endpoint }: Lease) => ({ tunnel, epoch, endpoint: endpoint.id })

/** The relay reports this for each lease. */
async function say(away: boolean, leases: readonly Lease[]) {
  await t.sync({
    away: leases.map((lease) => ({ ...report(lease), away })),
    bound: away ? [] : leases.map(report),
  })
}

/** The truth: endpoints that some ticket of the account can bind. */
async function leased(account = ada.account): Promise<readonly string[]> {
  const { items } = await t.control.store.query(queries.expiredLeases, {
    where: { state: 'leased' },
    limit: 500,
  })
  return items.flatMap(({ ref, data }) => (data.account === account ? [ref.id] : []))
}

async function tunnelNames(): Promise<readonly string[]> {
  const { items } = await listTunnels(t.of(ada), ada, { limit: 100 })
  return items.map(({ data }) => data.name).toSorted()
}

describe('quota: tunnels online', () => {
  test('going away, letting others in and coming back does not pass the limit', async () => {
    const all: Lease[] = []
    for (let wave = 0; wave < 5; wave++) {
      const result = await claim(tcp(...['a', 'b', 'c'].map((name) => `${name}${wave}`)))
      all.push(...leasesOf(result))
      await say(true, all)
      t.clock.advance(minute)
    }
    await say(false, all)
    expect((await renew(all)).filter((key) => key === 'leased')).toHaveLength(3)
    expect(await leased()).toHaveLength(3)
  })

  test('UNBIND, claim and BIND again does not pass the limit, and relays are told', async () => {
    const all: Lease[] = []
    const bind = () => t.sync({ bound: all.map(report) })
    for (let wave = 0; wave < 4; wave++) {
      all.push(...leasesOf(await claim(tcp(...['a', 'b', 'c'].map((name) => `${name}${wave}`)))))
      await bind()
      // All are unbound: a relay that has reported for a minute without them says that they are away.
      for (let reports = 0; reports < 7; reports++) {
        t.clock.advance(limits.syncMs)
        await t.sync({ away: all.map((lease) => ({ ...report(lease), away: true })) })
      }
    }
    const { commands } = await t.sync()
    await bind()
    expect(await leased()).toHaveLength(3)
    const displaced = commands.filter((command) => 'reason' in command && command.reason === 'displaced')
    expect(displaced).toHaveLength(9)
  })

  test('the tunnel longest away yields, is told so, and gets its address back when there is room', async () => {
    const [a, b, c] = leasesOf(await claim(tcp('a', 'b', 'c')))
    if (!a || !b || !c) throw new Error('no lease')
    await say(true, [b])
    t.clock.advance(minute)
    await t.sync({ away: [{ ...report(a), away: true }], bound: [report(c)] })
    t.clock.advance(minute)
    await t.sync({ bound: [report(c)] })
    expect(keysOf(await claim(tcp('d')))).toEqual(['leased'])
    expect(await renew([a, b, c])).toEqual(['leased', 'quota.displaced', 'leased'])
    await t.sync({ away: [{ ...report(a), away: false }], bound: [report(c), report(a)] })
    await t.sync({ bound: [report(c), report(a)] })
    expect(keysOf(await claim(tcp('e')))).toEqual(['quota.tunnels'])
    await releaseLeases(t.control, ada, { agent: laptop, tunnels: [c.tunnel] })
    expect(leasesOf(await claim(tcp('b')))).toMatchObject([{ endpoint: b.endpoint }])
  })

  test('a claim ends no lease of a tunnel that it asks for itself', async () => {
    const first = leasesOf(await claim(tcp('a', 'b', 'c')))
    await say(true, first)
    t.clock.advance(minute)
    await t.sync()
    expect(keysOf(await claim(tcp('a', 'b', 'c', 'd')))).toEqual([
      'leased',
      'leased',
      'leased',
      'quota.tunnels',
    ])
  })

  test('100 racing claims of one account leave it at its limit', async () => {
    const agents = Array.from({ length: 50 }, (_, n) => newId('agt', n + 10))
    const results = await Promise.all(agents.map((agent, n) => claim(tcp(`x${n}`, `y${n}`), { agent })))
    expect(results.flatMap(keysOf).filter((key) => key === 'leased')).toHaveLength(3)
    expect(await leased()).toHaveLength(3)
    expect(await tunnelNames(), 'a refused claim defines nothing').toHaveLength(3)
  })

  test("taking a stranger's lapsed lease leaves their quota right", async () => {
    await t.openCell({ portFrom: 20_000, portTo: 20_000 })
    const [lease] = leasesOf(await claim(tcp('db')))
    t.clock.advance(limits.leaseMs + limits.skewMs)
    await t.sync()
    const eve = await t.caller('eve@example.com')
    expect(keysOf(await claim(tcp('db'), { caller: eve }))).toEqual(['leased'])
    expect(await leased()).toEqual([])
    expect((await t.control.store.get(endpoints.ref(lease?.endpoint.id ?? '')))?.data.account).toBe(
      eve.account,
    )
    await t.openCell({ portFrom: 20_000, portTo: 20_009 })
    expect(keysOf(await claim(tcp('a', 'b', 'c')))).toEqual(['leased', 'leased', 'leased'])
  })
})

describe('quota: racing', () => {
  const settled = async (calls: readonly Promise<unknown>[]) =>
    (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled').length

  test('60 tunnels at once do not pass the limit', async () => {
    const make = (n: number) => createTunnel(t.of(ada), ada, { name: `n${n}`, kind: 'tcp', policy: {} })
    expect(await settled(Array.from({ length: 60 }, (_, n) => make(n)))).toBe(25)
    expect(await tunnelNames()).toHaveLength(25)
  })

  test('60 keys at once do not pass the limit', async () => {
    const make = () => createKey(t.of(ada), ada, { name: 'ci', scopes: ['tunnels'] })
    expect(await settled(Array.from({ length: 60 }, make))).toBe(10)
  })
})

describe('quota: new addresses', () => {
  test('claim and delete gets 2 x the limit + 8 addresses, then one every few minutes', async () => {
    const burst = 2 * plans.free.tunnelsOnline + 8
    const burn = async (n: number) => {
      const result = await claim(tcp(`n${n}`))
      for (const { tunnel } of leasesOf(result)) await deleteTunnel(t.of(ada), ada, { id: tunnel })
      return result
    }
    for (let n = 0; n < burst; n++) expect(keysOf(await burn(n)), `${n}`).toEqual(['leased'])
    const refused = await burn(burst)
    expect(keysOf(refused)).toEqual(['quota.pace'])
    const share = (limits.ticketMs + limits.skewMs) / burst
    const [result] = refused.results
    const seconds = result && 'problem' in result ? (result.problem.retryAfter ?? 0) : 0
    expect(seconds * 1_000).toBeGreaterThan(share - minute)
    t.clock.advance(seconds * 1_000)
    await t.sync()
    expect(keysOf(await burn(burst))).toEqual(['leased'])
    expect(keysOf(await burn(burst + 1))).toEqual(['quota.pace'])
  })

  test('coming back to its own address never waits', async () => {
    for (let n = 0; n < 30; n++) {
      const [lease] = leasesOf(await claim(tcp('db')))
      if (!lease) throw new Error(`refused at ${n}`)
      await releaseLeases(t.control, ada, { agent: laptop, tunnels: [lease.tunnel] })
    }
  })
})

describe('quota: tunnels that the service named', () => {
  const machine = async (n: number) => {
    const agent = newId('agt', n + 100)
    const result = await claim([{ kind: 'http' }], { agent })
    return { agent, result }
  }

  test('the 26th machine of CI is served, and so is the 60th', async () => {
    for (let n = 0; n < 60; n++) {
      const { agent, result } = await machine(n)
      expect(keysOf(result), `${n}`).toEqual(['leased'])
      await releaseLeases(t.control, ada, { agent, tunnels: leasesOf(result).map(({ tunnel }) => tunnel) })
      // Resting addresses are limited elsewhere.
      t.clock.advance(10 * minute)
      await t.sync()
    }
    expect(await tunnelNames()).toHaveLength(25)
  })

  test('tunnels with a name of their own are never deleted', async () => {
    for (let n = 0; n < 25; n++)
      await createTunnel(t.of(ada), ada, { name: `n${n}`, kind: 'tcp', policy: {} })
    expect(keysOf((await machine(1)).result)).toEqual(['quota.defined'])
    expect(await tunnelNames()).toHaveLength(25)
  })

  test('those unused for a month are deleted, and held ones stay', async () => {
    const { agent, result } = await machine(1)
    await releaseLeases(t.control, ada, { agent, tunnels: leasesOf(result).map(({ tunnel }) => tunnel) })
    const held = await machine(2)
    await createTunnel(t.of(ada), ada, { name: 'own', kind: 'tcp', policy: {} })
    await t.runJobs()
    for (let hour = 0; hour < 31 * 24; hour += 2) {
      t.clock.advance(120 * minute)
      await renew(leasesOf(held.result), held.agent)
    }
    await t.sync({ bound: leasesOf(held.result).map(report) })
    await t.runJobs()
    const [kept] = leasesOf(held.result)
    expect(await tunnelNames()).toEqual(['own', kept?.name].toSorted())
  })

  test('a refused port leaves no tunnel behind', async () => {
    expect(keysOf(await claim([{ kind: 'tcp', port: 80 }]))).toEqual(['endpoint.port_denied'])
    expect(keysOf(await claim([{ name: 'db', kind: 'tcp', port: 80 }]))).toEqual(['endpoint.port_denied'])
    expect(await tunnelNames()).toEqual([])
  })

  test('an agent whose answer was lost finds its tunnel again by its key', async () => {
    const once = leasesOf(await claim([{ kind: 'http' }, { kind: 'tcp' }], { seed: 'k1' }))
    const again = leasesOf(await claim([{ kind: 'http' }, { kind: 'tcp' }], { seed: 'k1' }))
    expect(again.map(({ tunnel }) => tunnel)).toEqual(once.map(({ tunnel }) => tunnel))
    expect(await tunnelNames()).toHaveLength(2)
  })
})

test('quota: a relay that reports in loops writes no quota', async () => {
  const [lease] = leasesOf(await claim(tcp('db')))
  if (!lease) throw new Error('no lease')
  const before = await t.control.store.get({ collection: 'quota', id: ada.account, reach: 'ownId' })
  for (const away of [true, false, true]) await say(away, [lease])
  expect(await t.control.store.get({ collection: 'quota', id: ada.account, reach: 'ownId' })).toEqual(before)
})

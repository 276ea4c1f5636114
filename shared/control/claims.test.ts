import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import type { Problem } from '../api/schemas/common.ts'
import type { ClaimResult, Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import { checkTicket } from '../protocol/ticket.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { endpoints } from './documents.ts'
import { plans } from './plans.ts'
import { quotas } from './quota-documents.ts'
import { releaseLeases } from './releases.ts'
import { sweep } from './sweeper.ts'
import { createTunnel, deleteTunnel, describeTunnels, listTunnels, updateTunnel } from './tunnels.ts'

const minute = 60_000
const hour = 60 * minute
const laptop = newId('agt', 1)
const desktop = newId('agt', 2)

let t: TestControl
let ada: Caller
let eve: Caller

beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
  eve = await t.caller('eve@example.com')
})
afterEach(() => t.close())

type Wanted = { name?: string; kind: 'tcp' | 'http' | 'tls'; port?: number; agents?: 'one' | 'many' }

function claim(caller: Caller, tunnels: Wanted[], { agent = laptop, takeover = false } = {}) {
  return claimLeases(t.control, caller, { agent, tunnels, takeover })
}

async function claimOne(caller: Caller, wanted: Wanted, options = {}): Promise<Lease> {
  return leaseOf(await claim(caller, [wanted], options))
}

function leaseOf({ results }: ClaimResult, index = 0): Lease {
  const result = results[index]
  if (!result || !('lease' in result)) throw new Error(`no lease: ${JSON.stringify(result)}`)
  return result.lease
}

function keyOf({ results }: ClaimResult, index = 0) {
  const result = results[index]
  return result && 'problem' in result ? keyOfCode(result.problem.code) : 'leased'
}

function problemOf(result: ClaimResult | undefined): Problem {
  const [first] = result?.results ?? []
  if (!first || !('problem' in first)) throw new Error(`no problem: ${JSON.stringify(first)}`)
  return first.problem
}

/** The relay reports that an agent serves it. */
async function serve({ tunnel, epoch, endpoint }: Lease) {
  await t.sync({ bound: [{ tunnel, epoch, endpoint: endpoint.id }] })
}

async function onlineOf({ account }: Caller): Promise<number | undefined> {
  return (await t.control.store.get(quotas.ref(account)))?.data.online
}

async function release(caller: Caller, { tunnel }: Lease, agent = laptop) {
  await releaseLeases(t.control, caller, { agent, tunnels: [tunnel] })
}

describe('claims: races', () => {
  test('200 concurrent claims of 200 free ports give 200 different ports', async () => {
    await t.openCell({ portFrom: 21_000, portTo: 21_199 })
    const callers = await Promise.all(Array.from({ length: 200 }, (_, n) => t.caller(`u${n}@example.com`)))
    // The change of the cell withholds the first range of 20.
    const leases = await Promise.all(callers.map((caller) => claimOne(caller, { name: 'db', kind: 'tcp' })))
    expect(new Set(leases.map(({ endpoint }) => endpoint.port)).size).toBe(200)
  })

  test('one of 50 racing claims of a host name gets it, and the others hear which names are free', async () => {
    const callers = await Promise.all(Array.from({ length: 50 }, (_, n) => t.caller(`u${n}@example.com`)))
    const results = await Promise.all(
      callers.map((caller) => claim(caller, [{ name: 'demo', kind: 'http' }])),
    )
    const keys = results.map((result) => keyOf(result))
    expect(keys.filter((key) => key === 'leased')).toHaveLength(1)
    expect(keys.filter((key) => key === 'endpoint.name_taken')).toHaveLength(49)
    const { suggestions = [], detail } = problemOf(results[keys.indexOf('endpoint.name_taken')])
    expect(detail).toBe('Somebody else has the name demo.tunnel.example.com.')
    expect(suggestions).toHaveLength(3)
    const loser = callers[keys.indexOf('endpoint.name_taken')] ?? ada
    const [first = ''] = suggestions
    const lease = await claimOne(loser, { name: first, kind: 'http' })
    expect(lease.endpoint.host).toBe(`${first}.tunnel.example.com`)
    expect((await listTunnels(t.of(loser), loser, { limit: 10 })).items).toHaveLength(1)
  })

  test('50 racing agents of one tunnel give one holder', async () => {
    await claimOne(ada, { name: 'db', kind: 'tcp' })
    await release(ada, await claimOne(ada, { name: 'db', kind: 'tcp' }))
    const agents = Array.from({ length: 50 }, (_, n) => newId('agt', n))
    const results = await Promise.all(
      agents.map((agent) => claim(ada, [{ name: 'db', kind: 'tcp' }], { agent })),
    )
    const keys = results.map((result) => keyOf(result))
    expect(keys.filter((key) => key === 'leased')).toHaveLength(1)
    expect(keys.filter((key) => key === 'lease.unclear')).toHaveLength(49)
  })

  test('at 99 % occupancy a claim still succeeds', async () => {
    await t.openCell({ portFrom: 21_000, portTo: 21_099 })
    const whole = await t.caller('big@example.com', { limits: plans.unlimited })
    const wanted = Array.from({ length: 99 }, (_, n) => ({ name: `n${n}`, kind: 'tcp' as const }))
    for (const half of [wanted.slice(0, 50), wanted.slice(50)])
      expect((await claim(whole, half)).results.every((result) => 'lease' in result)).toBe(true)
    const last = await claimOne(ada, { name: 'db', kind: 'tcp' })
    expect(last.endpoint.port).toBeGreaterThanOrEqual(21_000)
    expect(keyOf(await claim(eve, [{ name: 'db', kind: 'tcp' }]))).toBe('endpoint.exhausted')
  })

  test('50 tunnels are claimed in one call, and each has its own endpoint', async () => {
    await t.openCell({ portFrom: 20_000, portTo: 20_099 })
    const whole = await t.caller('big@example.com', { limits: plans.unlimited })
    const wanted = Array.from({ length: 50 }, (_, n) => ({ name: `n${n}`, kind: 'tcp' as const }))
    const result = await claim(whole, wanted)
    expect(new Set(result.results.map((_, index) => leaseOf(result, index).endpoint.id)).size).toBe(50)
  })
})

describe('claims: who gets what', () => {
  test('the lease names its address and a ticket that relays of the cell accept', async () => {
    const lease = await claimOne(ada, { name: 'web', kind: 'http' })
    expect(lease.endpoint).toEqual({
      id: 'host:web.tunnel.example.com',
      url: 'http://web.tunnel.example.com:8080',
      host: 'web.tunnel.example.com',
      port: 8080,
    })
    const { jwks } = await t.control.signer.publicKeys()
    const nowMs = t.clock.now()
    const claims = await checkTicket(lease.ticket, { keys: jwks, cell: 'home', nowMs })
    const { tunnel: sub, epoch } = lease
    expect(claims).toMatchObject({
      sub,
      epoch,
      account: ada.account,
      agent: laptop,
      kind: 'http',
      name: 'web',
    })
    expect(claims.policy.connectionsPerMinute).toBe(600)
    expect(claims.exp * 1000).toBeLessThanOrEqual(lease.expiresAt)
    await expect(checkTicket(lease.ticket, { keys: jwks, cell: 'other', nowMs })).rejects.toThrow()
  })

  test('a claim says where the relays are, and is refused while no relay is ready', async () => {
    const { relays, renewInMs } = await claim(ada, [{ name: 'db', kind: 'tcp' }])
    expect(relays).toEqual([{ instance: 'r1', host: '192.0.2.10', port: 7000, sni: 'r1.tunnel.example.com' }])
    expect(renewInMs).toBeLessThanOrEqual(limits.ticketMs / 2)
    await t.sync({ state: 'draining' })
    await expect(claim(ada, [{ name: 'db', kind: 'tcp' }])).rejects.toMatchObject({ key: 'cell.none' })
  })

  test('one refusal does not fail the others, and results keep the order of the request', async () => {
    const result = await claim(ada, [
      { name: 'a', kind: 'tcp' },
      { name: 'paypal-login', kind: 'http' },
      { name: 'b', kind: 'tcp', port: 25 },
      { name: 'c', kind: 'http' },
    ])
    const keys = result.results.map((_, index) => keyOf(result, index))
    expect(keys).toEqual(['leased', 'endpoint.name_denied', 'endpoint.port_denied', 'leased'])
  })

  test('a requested port is given if it is free, and the error names it if not', async () => {
    const lease = await claimOne(ada, { name: 'db', kind: 'tcp', port: 20_007 })
    expect(lease.endpoint.url).toBe('tcp://tunnel.example.com:20007')
    const refused = await claim(eve, [{ name: 'db', kind: 'tcp', port: 20_007 }])
    expect(keyOf(refused)).toBe('endpoint.port_taken')
    expect(JSON.stringify(refused.results)).toContain('20007')
  })

  test('the quota error says its limit, and an away or lapsed tunnel does not count', async () => {
    const three = { ...ada, limits: plans.free, plan: 'free' }
    const leases = await claim(
      three,
      ['a', 'b', 'c'].map((name) => ({ name, kind: 'tcp' as const })),
    )
    const refused = await claim(three, [{ name: 'd', kind: 'tcp' }])
    expect(keyOf(refused)).toBe('quota.tunnels')
    expect(JSON.stringify(refused.results)).toContain('3 of 3 tunnels')
    const { tunnel, epoch, endpoint } = leaseOf(leases)
    await t.sync({ away: [{ tunnel, epoch, endpoint: endpoint.id, away: true }] })
    expect(keyOf(await claim(three, [{ name: 'd', kind: 'tcp' }]))).toBe('leased')
    t.clock.advance(limits.leaseMs + 1)
    await t.sync()
    expect(keyOf(await claim(three, [{ name: 'e', kind: 'tcp' }]))).toBe('leased')
  })

  test('a claim without a name reuses this agent’s idle tunnel, and makes no second one', async () => {
    const first = await claimOne(ada, { kind: 'http' })
    await release(ada, first)
    const second = await claimOne(ada, { kind: 'http' })
    expect(second.tunnel).toBe(first.tunnel)
    const third = await claimOne(ada, { kind: 'http' })
    expect(third.tunnel).not.toBe(first.tunnel)
  })

  test('a tunnel of another kind is not given, and a name given twice in a call is refused', async () => {
    await claimOne(ada, { name: 'web', kind: 'http' })
    expect(keyOf(await claim(ada, [{ name: 'web', kind: 'tcp' }]))).toBe('tunnel.kind')
    const twice = await claim(ada, [
      { name: 'db', kind: 'tcp' },
      { name: 'db', kind: 'tcp' },
    ])
    expect([keyOf(twice, 0), keyOf(twice, 1)]).toEqual(['leased', 'api.combination'])
  })
})

describe('claims: the same address again', () => {
  test('the same agent after a restart gets the same endpoint at the same epoch', async () => {
    const first = await claimOne(ada, { name: 'db', kind: 'tcp' })
    t.clock.advance(10 * minute)
    const second = await claimOne(ada, { name: 'db', kind: 'tcp' })
    expect(second).toMatchObject({ endpoint: first.endpoint, epoch: first.epoch })
    expect(second.expiresAt).toBe(t.clock.now() + limits.leaseMs)
  })

  test('a released or lapsed tunnel finds its address again weeks later', async () => {
    const first = await claimOne(ada, { name: 'db', kind: 'tcp' })
    await release(ada, first)
    t.clock.advance(20 * 24 * hour)
    await t.settle()
    await sweep(t.control)
    const second = await claimOne(ada, { name: 'db', kind: 'tcp' })
    expect(second.endpoint).toEqual(first.endpoint)
    expect(second.epoch).toBeGreaterThan(first.epoch)
    t.clock.advance(3 * hour)
    await t.settle()
    expect((await sweep(t.control)).expired).toBe(1)
    expect((await claimOne(ada, { name: 'db', kind: 'tcp' })).endpoint).toEqual(first.endpoint)
  })

  test('a renamed http tunnel moves to its new host, and the old host is revoked', async () => {
    const lease = await claimOne(ada, { name: 'old', kind: 'http' })
    await updateTunnel(t.of(ada), ada, { id: lease.tunnel, change: { name: 'new' } })
    const moved = await claimOne(ada, { name: 'new', kind: 'http' })
    expect(moved.endpoint.host).toBe('new.tunnel.example.com')
    const { commands } = await t.sync()
    const endpoint = 'host:old.tunnel.example.com'
    expect(commands).toContainEqual(
      expect.objectContaining({ kind: 'revoke', endpoint, reason: 'moved', vacant: true }),
    )
  })

  test('relays hear that a tunnel released within a day has left its host for another one', async () => {
    const lease = await claimOne(ada, { name: 'old', kind: 'http' })
    await release(ada, lease)
    await updateTunnel(t.of(ada), ada, { id: lease.tunnel, change: { name: 'new' } })
    await t.sync()
    await claimOne(ada, { name: 'new', kind: 'http' })
    const { commands } = await t.sync()
    const endpoint = 'host:old.tunnel.example.com'
    expect(commands).toContainEqual(expect.objectContaining({ kind: 'revoke', endpoint, vacant: true }))
  })
})

describe('claims: takeover', () => {
  test('another agent is refused while the first is connected, unless it takes over', async () => {
    const first = await claimOne(ada, { name: 'db', kind: 'tcp' })
    const other = { agent: desktop }
    await serve(first)
    expect(keyOf(await claim(ada, [{ name: 'db', kind: 'tcp' }], other))).toBe('lease.held')
    const asked = await claim(ada, [{ name: 'db', kind: 'tcp', port: 20_019 }], other)
    expect(keyOf(asked)).toBe('lease.held')
    const second = await claimOne(ada, { name: 'db', kind: 'tcp' }, { ...other, takeover: true })
    expect(second.endpoint).toEqual(first.endpoint)
    expect(second.epoch).toBeGreaterThan(first.epoch)
    const { commands } = await t.sync()
    const { epoch } = second
    expect(commands).toContainEqual(
      expect.objectContaining({ kind: 'revoke', epoch, endpoint: first.endpoint.id, reason: 'superseded' }),
    )
  })

  test('one that takes a renamed tunnel over to its new host ends the first agent for good', async () => {
    const first = await claimOne(ada, { name: 'old', kind: 'http' })
    await updateTunnel(t.of(ada), ada, { id: first.tunnel, change: { name: 'new' } })
    await claimOne(ada, { name: 'new', kind: 'http' }, { agent: desktop, takeover: true })
    const { commands } = await t.sync()
    expect(commands).toContainEqual(
      expect.objectContaining({ endpoint: 'host:old.tunnel.example.com', reason: 'superseded' }),
    )
  })

  test('renewal of a lost tunnel fails for good; a released one can be claimed again', async () => {
    const first = await claimOne(ada, { name: 'db', kind: 'tcp' })
    await claimOne(ada, { name: 'db', kind: 'tcp' }, { agent: desktop, takeover: true })
    const leases = [{ tunnel: first.tunnel, epoch: first.epoch }]
    const lost = await renewLeases(t.control, ada, { agent: laptop, leases })
    expect(keyOf(lost)).toBe('lease.lost')
    await release(ada, first, desktop)
    expect(keyOf(await renewLeases(t.control, ada, { agent: laptop, leases }))).toBe('lease.gone')
  })

  test('an away tunnel needs no takeover, and a restarted relay no longer reports it as away', async () => {
    const { tunnel, epoch, endpoint } = await claimOne(ada, { name: 'db', kind: 'tcp' })
    const away = [{ tunnel, epoch, endpoint: endpoint.id, away: true }]
    await t.sync({ away })
    expect((await stateOf(ada))[0]).toBe('offline')
    t.clock.advance(minute)
    const { boot } = quietSync
    await t.sync({ boot: { ...boot, boot: '01k0000000000000000000next' } })
    expect((await stateOf(ada))[0]).toBe('connecting')
    await t.sync({
      boot: { ...boot, boot: '01k0000000000000000000next' },
      away: [{ ...away[0]!, away: false }],
    })
    t.clock.advance(minute)
    await t.sync({ boot: { ...boot, boot: '01k0000000000000000000next' }, away })
    expect(keyOf(await claim(ada, [{ name: 'db', kind: 'tcp' }], { agent: desktop }))).toBe('leased')
  })
})

describe('claims: a tunnel of many agents', () => {
  const shared = { name: 'db', kind: 'tcp', agents: 'many' } as const

  test('two agents that ask for a new name at once share it', async () => {
    const asked = [laptop, desktop].map((agent) => claimOne(ada, shared, { agent }))
    const [first, second] = await Promise.all(asked)
    expect(second).toMatchObject({ tunnel: first?.tunnel, endpoint: first?.endpoint })
  })
  const plain = { name: 'db', kind: 'tcp' } as const
  const both = async () =>
    [await claimOne(ada, shared), await claimOne(ada, plain, { agent: desktop })] as const
  const holdersOf = async () => {
    const { items } = await listTunnels(t.of(ada), ada, { limit: 10 })
    const described = await describeTunnels(t.of(ada), items)
    return described
      .find(({ name }) => name === 'db')
      ?.holders.map(({ agent, state }) => `${agent === laptop ? 'laptop' : 'desktop'} ${state}`)
  }

  test('a second agent joins at the same epoch and endpoint, nobody is evicted, and tickets say so', async () => {
    const [first, second] = await both()
    expect(second).toMatchObject({ endpoint: first.endpoint, epoch: first.epoch, agents: 'many' })
    expect((await t.sync()).commands).toEqual([])
    expect(await holdersOf()).toEqual(['laptop online', 'desktop online'])
    const { jwks } = await t.control.signer.publicKeys()
    const check = { keys: jwks, cell: 'home', nowMs: t.clock.now() }
    expect(await checkTicket(second.ticket, check)).toMatchObject({ agents: 'many', agent: desktop })
  })

  test('counts once in the quota, and stays online until the last agent gives it back', async () => {
    ada = { ...ada, limits: plans.free, plan: 'free' }
    const [lease] = await both()
    for (const name of ['b', 'c']) await claimOne(ada, { name, kind: 'tcp' })
    expect(keyOf(await claim(ada, [{ name: 'd', kind: 'tcp' }]))).toBe('quota.tunnels')
    await release(ada, lease)
    await release(ada, lease)
    expect(await holdersOf()).toEqual(['desktop online'])
    expect((await t.sync()).commands).toEqual([])
    const leases = [{ tunnel: lease.tunnel, epoch: lease.epoch }]
    expect(keyOf(await renewLeases(t.control, ada, { agent: desktop, leases }))).toBe('leased')
    expect(keyOf(await renewLeases(t.control, ada, { agent: laptop, leases }))).toBe('lease.gone')
    await release(ada, lease, desktop)
    expect((await t.sync()).commands).toMatchObject([{ kind: 'revoke', reason: 'released' }])
    expect(keyOf(await claim(ada, [{ name: 'd', kind: 'tcp' }]))).toBe('leased')
  })

  test('an agent that is away leaves the tunnel online, and it is away when the last agent is', async () => {
    const [{ tunnel, epoch, endpoint }] = await both()
    const report = { tunnel, epoch, endpoint: endpoint.id, away: true }
    await t.sync({ away: [{ ...report, agent: laptop }] })
    expect(await holdersOf()).toEqual(['laptop away', 'desktop online'])
    expect((await stateOf(ada))[0]).toBe('connecting')
    await t.sync({ away: [{ ...report, agent: desktop }] })
    expect((await stateOf(ada))[0]).toBe('offline')
    await t.sync({ away: [{ ...report, agent: laptop, away: false }] })
    expect((await stateOf(ada))[0]).toBe('connecting')
  })

  test('changed back to one agent, all claim again: the first goes on and the next hears that it is held', async () => {
    const [{ tunnel, epoch, endpoint }] = await both()
    await updateTunnel(t.of(ada), ada, { id: tunnel, change: { agents: 'one' } })
    const { commands } = await t.sync()
    expect(commands).toMatchObject([{ kind: 'revoke', endpoint: endpoint.id, reason: 'moved' }])
    const leases = [{ tunnel, epoch }]
    expect(keyOf(await renewLeases(t.control, ada, { agent: laptop, leases }))).toBe('lease.gone')
    const kept = await claimOne(ada, plain, { agent: desktop })
    expect(kept.epoch).toBeGreaterThan(epoch)
    expect(kept.agents).toBe('one')
    await serve(kept)
    expect(keyOf(await claim(ada, [plain]))).toBe('lease.held')
  })

  test('needs consent: a tunnel for one agent stays so until its owner asks for more', async () => {
    await serve(await claimOne(ada, plain))
    expect(keyOf(await claim(ada, [plain], { agent: desktop }))).toBe('lease.held')
    expect(keyOf(await claim(ada, [shared], { agent: desktop }))).toBe('leased')
    expect(await holdersOf()).toEqual(['laptop online', 'desktop online'])
  })

  test('moves for one of them only by takeover, and then the others follow', async () => {
    const [lease] = await both()
    const { endpoint } = lease
    await serve(lease)
    // It is at a random port.
    const port = endpoint.port === 20_019 ? 20_018 : 20_019
    const third = { agent: newId('agt', 3) }
    expect(keyOf(await claim(ada, [{ ...plain, port }], third))).toBe('lease.held')
    await claimOne(ada, { ...plain, port }, { ...third, takeover: true })
    const { commands } = await t.sync()
    expect(commands).toMatchObject([{ kind: 'revoke', endpoint: endpoint.id, reason: 'moved' }])
  })
})

async function stateOf(caller: Caller) {
  const { items } = await listTunnels(t.of(caller), caller, { limit: 10 })
  return (await describeTunnels(t.of(caller), items)).map(({ state }) => state)
}

describe('claims: renewal and release', () => {
  test('repeated renewals change nothing, and extend the lease only when little of it is left', async () => {
    const { tunnel, epoch, expiresAt } = await claimOne(ada, { name: 'db', kind: 'tcp' })
    const renew = async () =>
      leaseOf(await renewLeases(t.control, ada, { agent: laptop, leases: [{ tunnel, epoch }] }))
    expect((await renew()).expiresAt).toBe(expiresAt)
    t.clock.advance(30 * minute)
    expect((await renew()).expiresAt).toBe(expiresAt)
    t.clock.advance(30 * minute)
    const extended = await renew()
    expect(extended.expiresAt).toBe(t.clock.now() + limits.leaseMs)
    expect(await renew()).toMatchObject({ epoch, expiresAt: extended.expiresAt })
    expect(extended.ticketExpiresAt).toBeLessThanOrEqual(extended.expiresAt)
  })

  test('a lapsed lease can go on until another takes its place', async () => {
    const few = { ...ada, limits: { ...ada.limits, tunnelsOnline: 1 } }
    const { tunnel, epoch } = await claimOne(few, { name: 'a', kind: 'tcp' })
    const renew = async () =>
      keyOf(await renewLeases(t.control, few, { agent: laptop, leases: [{ tunnel, epoch }] }))
    t.clock.advance(limits.leaseMs + 1)
    await t.sync()
    expect(await renew()).toBe('leased')
    t.clock.advance(limits.leaseMs + 1)
    await t.sync()
    const second = await claimOne(few, { name: 'b', kind: 'tcp' })
    expect(await renew()).toBe('lease.gone')
    expect(await onlineOf(few)).toBe(1)
    await serve(second)
    expect(keyOf(await claim(few, [{ name: 'a', kind: 'tcp' }]))).toBe('quota.tunnels')
  })

  test("somebody else's tunnel is neither renewed nor released", async () => {
    const lease = await claimOne(ada, { name: 'db', kind: 'tcp' })
    const { tunnel, epoch } = lease
    const result = await renewLeases(t.control, eve, { agent: laptop, leases: [{ tunnel, epoch }] })
    expect(keyOf(result)).toBe('session.revoked')
    await release(eve, lease)
    await release(ada, lease, desktop)
    expect(await stateOf(ada)).toEqual(['connecting'])
    await release(ada, lease)
    await release(ada, lease)
    expect(await stateOf(ada)).toEqual(['offline'])
  })
})

describe('claims: an endpoint changes hands only when no old ticket could bind it', () => {
  /** One port, so that the next claim needs exactly it. */
  async function onePort() {
    await t.openCell({ portFrom: 20_000, portTo: 20_000 })
    return claimOne(ada, { name: 'db', kind: 'tcp' })
  }
  const byEve = async () => keyOf(await claim(eve, [{ name: 'db', kind: 'tcp' }]))

  test('a released one rests until its last ticket and five minutes are over', async () => {
    const lease = await onePort()
    await release(ada, lease)
    expect(await byEve()).toBe('endpoint.exhausted')
    await t.settle()
    const deadAt = lease.ticketExpiresAt + limits.skewMs
    t.clock.advance(deadAt - t.clock.now() - 1)
    await t.sync({ cursor: `${t.clock.now()}` })
    expect(await byEve()).toBe('endpoint.exhausted')
    t.clock.advance(1)
    expect(await byEve()).toBe('leased')
  })

  test('a relay that has not read the release delays it, until it has been gone for an hour', async () => {
    const lease = await onePort()
    const { cursor } = await t.sync()
    await release(ada, lease)
    t.clock.advance(50 * minute)
    // It reports with the old cursor, so it has not read the release.
    await t.sync({ cursor })
    t.clock.advance(20 * minute)
    await t.sync({ cursor })
    expect(await byEve()).toBe('endpoint.exhausted')
    await t.settle()
    expect(await byEve()).toBe('leased')
  })

  test('a lapsed lease is reclaimed, but not while a relay has it bound', async () => {
    const { tunnel, epoch, endpoint } = await onePort()
    const bound = [{ tunnel, epoch, endpoint: endpoint.id }]
    t.clock.advance(limits.leaseMs + limits.skewMs)
    await t.sync({ bound })
    expect(await byEve()).toBe('endpoint.exhausted')
    expect((await sweep(t.control)).expired).toBe(0)
    t.clock.advance(minute)
    await t.sync()
    expect(await byEve()).toBe('leased')
    const { commands } = await t.sync()
    expect(commands.some((command) => command.kind === 'revoke' && command.epoch > epoch)).toBe(true)
  })

  test('the address of a deleted tunnel rests too, and its account gets it back once relays have heard', async () => {
    const lease = await claimOne(ada, { name: 'web', kind: 'http' })
    await deleteTunnel(t.of(ada), ada, { id: lease.tunnel })
    expect(keyOf(await claim(ada, [{ name: 'web', kind: 'http' }]))).toBe('endpoint.resting')
    expect(keyOf(await claim(eve, [{ name: 'web', kind: 'http' }]))).toBe('endpoint.name_taken')
    await t.settle()
    const again = await claimOne(ada, { name: 'web', kind: 'http' })
    expect(again.endpoint).toEqual(lease.endpoint)
    expect(again.epoch).toBeGreaterThan(lease.epoch)
  })

  test('swept host names are forgotten after a day, and ports are free again', async () => {
    const host = await claimOne(ada, { name: 'web', kind: 'http' })
    const port = await claimOne(ada, { name: 'db', kind: 'tcp' })
    for (const { tunnel } of [host, port]) await deleteTunnel(t.of(ada), ada, { id: tunnel })
    t.clock.advance(2 * hour)
    await t.settle()
    expect(await sweep(t.control)).toEqual({ expired: 0, freed: 1 })
    t.clock.advance(24 * hour)
    await t.settle()
    expect(await sweep(t.control)).toEqual({ expired: 0, freed: 1 })
    expect(await t.control.store.get(endpoints.ref(host.endpoint.id))).toBeUndefined()
    expect((await t.control.store.get(endpoints.ref(port.endpoint.id)))?.data.state).toBe('free')
    const next = await claimOne(eve, { name: 'web', kind: 'http' })
    expect(next.endpoint).toEqual(host.endpoint)
    expect(next.epoch).toBeGreaterThan(host.epoch)
  })
})

test('tunnels: a plan limits their number, and the error says how many', async () => {
  const few = { ...ada, limits: { ...plans.free, tunnelsDefined: 2 } }
  const make = (name: string) => createTunnel(t.of(few), few, { name, kind: 'tcp', policy: {} })
  await make('a')
  await expect(make('a')).rejects.toMatchObject({ key: 'tunnel.name_taken' })
  await make('b')
  await expect(make('c')).rejects.toMatchObject({
    key: 'quota.defined',
    detail: expect.stringContaining('2'),
  })
})

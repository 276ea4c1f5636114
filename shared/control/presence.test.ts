import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import type { SyncRequest } from '../api/schemas/relays.ts'
import type { Lease } from '../api/schemas/tunnels.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { plans } from './plans.ts'
import { silentMs } from './presence.ts'
import { quotas } from './quota-documents.ts'
import { releaseLeases } from './releases.ts'
import { updateTunnel } from './tunnels.ts'

const laptop = newId('agt', 1)
const desktop = newId('agt', 2)
const nextBoot = '01k0000000000000000000next'
let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

async function ask(
  agent: string,
  options: { name?: string; waitedMs?: number; caller?: Caller; agents?: 'many'; port?: number } = {},
) {
  const { name = 'web', waitedMs, caller = ada, agents, port } = options
  const wish = port === undefined ? { kind: 'http' as const } : { kind: 'tcp' as const, port }
  const tunnels = [{ ...wish, ...(name !== '' && { name }), ...(agents && { agents }) }]
  const request = { agent, tunnels, takeover: false, ...(waitedMs !== undefined && { waitedMs }) }
  const [result] = (await claimLeases(t.control, caller, request)).results
  if (!result) throw new Error('no answer')
  if ('lease' in result) return { key: 'leased' as const, lease: result.lease }
  const { code, retryAfter, detail } = result.problem
  return { key: keyOfCode(code), retryAfter, detail }
}
async function lease(agent = laptop): Promise<Lease> {
  const { lease } = await ask(agent)
  if (!lease) throw new Error('no lease')
  return lease
}
const boundOf = ({ tunnel, epoch, endpoint }: Lease, detached?: true) => [
  { tunnel, epoch, endpoint: endpoint.id, ...(detached && { detached }) },
]
/** A report of one of the cell's relays. */
const report = (changes: Partial<SyncRequest> = {}, boot: Partial<SyncRequest['boot']> = {}) =>
  t.sync({ boot: { ...quietSync.boot, ...boot }, ...changes })
/** Reports at the usual pace for this long. */
async function pass(ms: number, say: () => Promise<unknown> = report) {
  for (let left = ms; left > 0; left -= limits.syncMs) {
    t.clock.advance(Math.min(left, limits.syncMs))
    await say()
  }
}
const onlineCount = async () => (await t.control.store.get(quotas.ref(ada.account)))?.data.online
const second = { instance: 'r2', boot: '01k000000000000000000boot2' }

describe('a tunnel that another agent of its account asks for', () => {
  test('an agent that died loses it within a minute, and the next gets its address at a higher epoch', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) })
    expect(await ask(desktop, { waitedMs: 0 }), 'its last report is older than the question').toMatchObject({
      key: 'lease.unclear',
      retryAfter: expect.any(Number),
    })
    await pass(30_000, () => report({ bound: boundOf(first, true) }))
    expect((await ask(desktop, { waitedMs: 30_000 })).key).toBe('lease.unclear')
    const away = [{ tunnel: first.tunnel, epoch: first.epoch, endpoint: first.endpoint.id, away: true }]
    await pass(30_000, () => report({ bound: boundOf(first, true), away }))
    const taken = await ask(desktop, { waitedMs: 60_000 })
    expect(taken.lease?.endpoint).toEqual(first.endpoint)
    expect(taken.lease?.epoch).toBeGreaterThan(first.epoch)
    const leases = [{ tunnel: first.tunnel, epoch: first.epoch }]
    const renewed = await renewLeases(t.control, ada, { agent: laptop, leases })
    expect(JSON.stringify(renewed.results), 'the old one is told').toContain('PT-2102')
  })

  test('one that serves keeps it, as soon as a relay has reported since the question', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) })
    t.clock.advance(limits.lostMs)
    expect((await ask(desktop, { waitedMs: 0 })).key).toBe('lease.unclear')
    t.clock.advance(limits.syncMs)
    await report({ bound: boundOf(first) })
    expect((await ask(desktop, { waitedMs: limits.syncMs })).key).toBe('lease.held')
    expect((await ask(desktop)).key, 'an older agent').toBe('lease.held')
  })

  test('a restarted relay must be up for a minute without it', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) })
    t.clock.advance(10 * 60_000 - limits.syncMs)
    const say = () => report({}, { boot: nextBoot })
    await say()
    expect((await ask(desktop)).key).toBe('lease.unclear')
    await pass(limits.awayMs - 1, say)
    expect((await ask(desktop)).key).toBe('lease.unclear')
    await pass(1, say)
    expect((await ask(desktop)).lease?.epoch).toBeGreaterThan(first.epoch)
  })

  test('a relay that still has it keeps it, whatever the others say', async () => {
    const first = await lease()
    const both = async () => {
      await report()
      await report({ bound: boundOf(first) }, second)
    }
    await both()
    await pass(10 * limits.awayMs, both)
    expect((await ask(desktop, { waitedMs: 10 * limits.awayMs })).key).toBe('lease.held')
  })

  test('a silent relay no longer counts while another is heard all along', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) }, second)
    await report()
    await pass(silentMs)
    expect((await ask(desktop)).key).toBe('lease.held')
    await pass(limits.syncMs)
    expect((await ask(desktop)).key).toBe('leased')
  })

  test('after an outage of the control plane, every relay must report again before anything moves', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) }, second)
    await report()
    t.clock.advance(9 * 60_000)
    await report()
    expect((await ask(desktop, { waitedMs: 0 })).key, 'the other is not back yet').toBe('lease.unclear')
    await report({ bound: boundOf(first) }, second)
    t.clock.advance(limits.lostMs)
    await report({ bound: boundOf(first) }, second)
    expect((await ask(desktop, { waitedMs: limits.lostMs })).key).toBe('lease.held')
  })

  test('a relay’s report from before an outage does not prove that its agent is still away', async () => {
    const first = await lease()
    const away = [{ tunnel: first.tunnel, epoch: first.epoch, endpoint: first.endpoint.id, away: true }]
    await pass(limits.awayMs, () => report({ away }))
    t.clock.advance(5 * 60_000)
    expect((await ask(desktop, { waitedMs: 0 })).key).toBe('lease.unclear')
    await report({ bound: boundOf(first), away: [{ ...away[0]!, away: false }] })
    expect((await ask(desktop)).key).toBe('lease.held')
  })

  test('one of two that start at once is granted, and the other waits until a relay has the first', async () => {
    const first = await lease()
    expect((await ask(desktop, { waitedMs: 0 })).key).toBe('lease.unclear')
    await pass(limits.awayMs - 1)
    expect((await ask(desktop, { waitedMs: limits.awayMs })).key, 'granted less than a minute ago').toBe(
      'lease.unclear',
    )
    await report({ bound: boundOf(first) })
    expect((await ask(desktop, { waitedMs: limits.awayMs })).key).toBe('lease.held')
  })

  test('a clock that was set back by hours does not block an endpoint for as long', async () => {
    await lease()
    await report({}, { boot: nextBoot })
    t.clock.jump(-5 * 3_600_000)
    await pass(2 * limits.awayMs, () => report({}, { boot: nextBoot }))
    expect((await ask(desktop)).key).toBe('leased')
  })

  test('another account waits as before', async () => {
    const first = await lease()
    await pass(10 * limits.awayMs)
    const eve = await t.caller('eve@example.com')
    expect((await ask(desktop, { caller: eve })).lease?.endpoint.id).not.toBe(first.endpoint.id)
  })

  test('a dead agent does not use up the quota after a restart', async () => {
    const caller = { ...ada, limits: plans.free, plan: 'free' }
    for (const name of ['a', 'b', 'c']) await ask(laptop, { name, caller })
    expect((await ask(desktop, { name: 'd', caller })).key).toBe('quota.tunnels')
    await pass(limits.awayMs)
    expect((await ask(desktop, { name: 'd', caller })).key).toBe('leased')
  })

  test('agents that share a tunnel need not wait', async () => {
    await ask(laptop, { agents: 'many' })
    expect((await ask(desktop, { agents: 'many', waitedMs: 0 })).key).toBe('leased')
  })
})

describe('an address that a tunnel asks for and another one of its account has', () => {
  const port = 20_005
  const portLease = async (agent: string, options: { name?: string; caller?: Caller } = {}) =>
    (await ask(agent, { name: 'db', ...options, port })).lease

  test.each([
    ['another name', 'other'],
    ['no name', ''],
  ])(
    'goes over within a minute once nobody serves it, at a higher epoch, to a tunnel with %s',
    async (_, name) => {
      const first = await portLease(laptop)
      if (!first) throw new Error('no lease')
      await report({ bound: boundOf(first) })
      expect(await ask(desktop, { name, port, waitedMs: 0 })).toMatchObject({
        key: 'endpoint.unclear',
        retryAfter: expect.any(Number),
        detail: expect.stringContaining(`${port}`),
      })
      await pass(30_000, () => report({ bound: boundOf(first, true) }))
      expect((await ask(desktop, { name, port, waitedMs: 30_000 })).key).toBe('endpoint.unclear')
      const away = [{ tunnel: first.tunnel, epoch: first.epoch, endpoint: first.endpoint.id, away: true }]
      await pass(30_000, () => report({ bound: boundOf(first, true), away }))
      const taken = await ask(desktop, { name, port, waitedMs: 60_000 })
      expect(taken.lease?.endpoint).toEqual(first.endpoint)
      expect(taken.lease?.tunnel).not.toBe(first.tunnel)
      expect(taken.lease?.epoch).toBeGreaterThan(first.epoch)
      expect(await onlineCount(), 'one lease, whoever has it').toBe(1)
    },
  )

  test('an agent that comes back gets another address, and is not told that its tunnel was taken over', async () => {
    const first = await portLease(laptop)
    if (!first) throw new Error('no lease')
    await pass(limits.awayMs)
    await ask(desktop, { name: 'other', port, waitedMs: limits.awayMs })
    const { commands } = await report()
    const body = { kind: 'revoke', endpoint: first.endpoint.id, reason: 'moved' }
    expect(commands).toContainEqual(expect.objectContaining(body))
    const leases = [{ tunnel: first.tunnel, epoch: first.epoch }]
    const renewed = await renewLeases(t.control, ada, { agent: laptop, leases })
    expect(JSON.stringify(renewed.results)).toContain('PT-2103')
    const [again] = (
      await claimLeases(t.control, ada, {
        agent: laptop,
        tunnels: [{ name: 'db', kind: 'tcp' }],
        takeover: false,
      })
    ).results
    expect(again).toMatchObject({ lease: { tunnel: first.tunnel } })
    expect(JSON.stringify(again)).not.toContain(`:${port}`)
  })

  test('is refused while it is served, and as soon as that is known', async () => {
    const first = await portLease(laptop)
    if (!first) throw new Error('no lease')
    const say = () => report({ bound: boundOf(first) })
    await pass(limits.lostMs + limits.syncMs, say)
    expect((await ask(desktop, { name: 'other', port, waitedMs: limits.lostMs + limits.syncMs })).key).toBe(
      'endpoint.port_taken',
    )
    await pass(10 * limits.awayMs, say)
    expect((await ask(desktop, { name: 'other', port, waitedMs: 10 * limits.awayMs })).key).toBe(
      'endpoint.port_taken',
    )
  })

  test('stays where it is for another account, and for a key that is bound to a tunnel', async () => {
    await portLease(laptop)
    await pass(10 * limits.awayMs)
    const eve = await t.caller('eve@example.com')
    expect((await ask(desktop, { name: 'other', port, caller: eve })).key).toBe('endpoint.port_taken')
    const bound = { ...ada, tunnels: new Set(['other']) }
    expect((await ask(desktop, { name: 'other', port, caller: bound })).key).toBe('endpoint.port_taken')
  })

  test('can be a host name too: the agent waits for it, and no other name is made up', async () => {
    const first = await lease()
    await updateTunnel(t.of(ada), ada, { id: first.tunnel, change: { name: 'renamed' } })
    expect((await ask(desktop, { waitedMs: 0 })).key).toBe('endpoint.unclear')
    await pass(limits.awayMs)
    const taken = await ask(desktop, { waitedMs: limits.awayMs })
    expect(taken.lease?.endpoint).toEqual(first.endpoint)
    expect(taken.lease?.tunnel).not.toBe(first.tunnel)
  })

  test('stays with a tunnel that no longer shares it, when its agents come back', async () => {
    const { lease: shared } = await ask(laptop, { name: 'db', port, agents: 'many' })
    await ask(desktop, { name: 'db', port, agents: 'many' })
    await pass(10 * limits.awayMs)
    await updateTunnel(t.of(ada), ada, { id: shared?.tunnel ?? '', change: { agents: 'one' } })
    expect((await ask(desktop, { name: 'other', port })).key).toBe('endpoint.port_taken')
  })

  test('is not taken from a dead agent by a tunnel that would accept any', async () => {
    const first = await portLease(laptop)
    await pass(limits.awayMs)
    const other = await claimLeases(t.control, ada, {
      agent: desktop,
      tunnels: [{ name: 'other', kind: 'tcp' }],
      takeover: false,
    })
    expect(JSON.stringify(other.results)).not.toContain(`"${first?.endpoint.id}"`)
  })

  test('with a generated name comes back to the agent that died', async () => {
    const nameless = { agent: laptop, tunnels: [{ kind: 'tcp' as const }], takeover: false }
    const idOf = ({ results: [one] }: Awaited<ReturnType<typeof claimLeases>>) =>
      one && 'lease' in one ? one.lease : undefined
    const first = idOf(await claimLeases(t.control, ada, nameless))
    if (!first) throw new Error('no lease')
    await report({ bound: boundOf(first) })
    const away = [{ tunnel: first.tunnel, epoch: first.epoch, endpoint: first.endpoint.id, away: true }]
    await pass(limits.awayMs, () => report({ bound: boundOf(first, true), away }))
    expect(idOf(await claimLeases(t.control, ada, nameless))).toMatchObject({ tunnel: first.tunnel })
  })
})

describe('an agent that gives its lease back', () => {
  const giveBack = (agent: string, { tunnel, epoch, expiresAt }: Lease) =>
    releaseLeases(t.control, ada, { agent, tunnels: [], leases: [{ tunnel, epoch, expiresAt }] })

  test('leaves it to another one at once, at the same address and a higher epoch', async () => {
    const first = await lease()
    await report({ bound: boundOf(first) })
    await giveBack(laptop, first)
    const next = await lease(desktop)
    expect(next.endpoint).toEqual(first.endpoint)
    expect(next.epoch).toBeGreaterThan(first.epoch)
  })

  test('a late release ends nothing that was granted since', async () => {
    const first = await lease()
    t.clock.advance(1)
    const again = await lease()
    await giveBack(laptop, first)
    await report({ bound: boundOf(again) })
    expect((await ask(desktop)).key, 'the same agent, started again').toBe('lease.held')
    await giveBack(desktop, again)
    expect((await ask(desktop)).key, 'not its lease').toBe('lease.held')
    await giveBack(laptop, again)
    const next = await lease(desktop)
    await giveBack(laptop, again)
    await report({ bound: boundOf(next) })
    expect((await ask(laptop)).key, 'given on meanwhile').toBe('lease.held')
  })
})

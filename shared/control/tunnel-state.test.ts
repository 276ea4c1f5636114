/** What people are told about a tunnel: one state, why, since when, and what to do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { isServed, isTrouble, stateWord, tunnelStates } from '../api/schemas/tunnel-words.ts'
import { codes, type ErrorKey } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { tunnels } from './documents.ts'
import { releaseLeases } from './releases.ts'
import { createTunnel, describeTunnels, listTunnels } from './tunnels.ts'
import { recordUpstreams } from './upstream-reports.ts'

const agent = newId('agt', 1)
const other = newId('agt', 2)
const minute = 60_000
const hour = 60 * minute

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller()
})
afterEach(() => t.close())

async function claim(by = agent, more: { agents?: 'many' } = {}) {
  const tunnels = [{ name: 'db', kind: 'tcp' as const, ...more }]
  const { results } = await claimLeases(t.control, ada, { agent: by, tunnels, takeover: false })
  const [first] = results
  if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
  return first.lease
}
type Lease = Awaited<ReturnType<typeof claim>>

async function seen() {
  const { items } = await listTunnels(t.of(ada), ada, { limit: 1 })
  const [tunnel] = await describeTunnels(t.of(ada), items)
  if (!tunnel) throw new Error('no tunnel')
  return tunnel
}

/** A relay reports that the lease's agents are bound there. */
async function serve({ tunnel, epoch, endpoint }: Lease) {
  await t.sync({ bound: [{ tunnel, epoch, endpoint: endpoint.id }] })
}

async function report(lease: Lease, key?: ErrorKey, by = agent) {
  const { tunnel, epoch } = lease
  const code = key && { code: codes[key].code }
  await recordUpstreams(t.of(ada), ada, { agent: by, upstreams: [{ tunnel, epoch, ...code }] })
}

describe('a tunnel that nobody serves', () => {
  test('was never used, and says how to start it', async () => {
    await createTunnel(t.of(ada), ada, { name: 'db', kind: 'tcp', policy: {} })
    expect(await seen()).toMatchObject({ state: 'never_used', why: { since: t.clock.now() }, holders: [] })
    expect((await seen()).why.cure).toContain('ptun tcp 5432 --name db')
  })

  test('is offline since its lease was given back', async () => {
    const lease = await claim()
    await serve(lease)
    t.clock.advance(hour / 4)
    const since = t.clock.now()
    await releaseLeases(t.control, ada, { agent, tunnels: [lease.tunnel] })
    t.clock.advance(hour)
    expect(await seen()).toMatchObject({ state: 'offline', why: { since } })
  })

  test('is offline since its lease ran out', async () => {
    const lease = await claim()
    t.clock.advance(limits.leaseMs + hour)
    expect(await seen()).toMatchObject({ state: 'offline', why: { since: lease.expiresAt } })
  })
})

describe('a tunnel that an agent serves', () => {
  test('connects until a relay has its agent, and is healthy then', async () => {
    const lease = await claim()
    expect(await seen()).toMatchObject({ state: 'connecting', why: { since: t.clock.now() } })
    await serve(lease)
    expect(await seen()).toMatchObject({ state: 'healthy', why: { since: t.clock.now() } })
  })

  test('is offline when its agent is lost, and its address is kept', async () => {
    const lease = await claim()
    await serve(lease)
    const { tunnel, epoch, endpoint } = lease
    t.clock.advance(2 * minute)
    await t.sync({ away: [{ tunnel, epoch, endpoint: endpoint.id, away: true }], bound: [] })
    const { state, why, endpoint: shown, holders } = await seen()
    expect({ state, code: why.code, since: why.since }).toEqual({
      state: 'offline',
      code: codes['tunnel.away'].code,
      since: t.clock.now(),
    })
    expect(shown?.id).toBe(endpoint.id)
    expect(holders).toMatchObject([{ agent, state: 'away' }])
  })

  test('is not healthy when no relay reports any more', async () => {
    await serve(await claim())
    t.clock.advance(hour / 2)
    expect(await seen()).toMatchObject({ state: 'offline', why: { code: codes['cell.none'].code } })
  })
})

describe('an upstream out of reach', () => {
  test('shows as that, with code, cure and since when, until it works again', async () => {
    const lease = await claim()
    await serve(lease)
    await report(lease, 'upstream.refused')
    const since = t.clock.now()
    t.clock.advance(minute / 4)
    expect(await seen()).toMatchObject({
      state: 'upstream_failing',
      why: { code: 'PT-6040', cure: codes['upstream.refused'].cure, since },
      holders: [{ state: 'failing', code: 'PT-6040' }],
    })
    await report(lease, 'upstream.timeout')
    expect((await seen()).why, 'another reason, the same trouble').toMatchObject({ code: 'PT-6041', since })
    await report(lease)
    expect(await seen()).toMatchObject({ state: 'healthy' })
  })

  test('is remembered over a renewal, and forgotten when the agent claims anew', async () => {
    const lease = await claim()
    await serve(lease)
    await report(lease, 'upstream.refused')
    t.clock.advance(limits.leaseMs - limits.leaseExtendUnderMs + minute)
    await serve(lease)
    await renewLeases(t.control, ada, { agent, leases: [{ tunnel: lease.tunnel, epoch: lease.epoch }] })
    expect(await seen()).toMatchObject({ state: 'upstream_failing' })
    await claim()
    expect(await seen()).toMatchObject({ state: 'healthy' })
  })

  test('of some agents of several only degrades it', async () => {
    const lease = await claim(agent, { agents: 'many' })
    await claim(other, { agents: 'many' })
    await serve(lease)
    await report(lease, 'upstream.refused')
    expect(await seen()).toMatchObject({ state: 'degraded', why: { code: 'PT-6040' } })
    await report(lease, 'upstream.refused', other)
    expect(await seen()).toMatchObject({ state: 'upstream_failing' })
  })

  test('is noted for what the reporting agent holds alone', async () => {
    const lease = await claim()
    await serve(lease)
    await report(lease, 'upstream.refused', other)
    await report({ ...lease, epoch: lease.epoch - 1 }, 'upstream.refused')
    const eve = await t.caller('eve@example.com')
    const upstreams = [{ tunnel: lease.tunnel, epoch: lease.epoch, code: 'PT-6040' }]
    await recordUpstreams(t.of(eve), eve, { agent, upstreams })
    expect(await seen()).toMatchObject({ state: 'healthy' })
  })

  test('a code of a newer agent is shown as it came', async () => {
    const lease = await claim()
    await serve(lease)
    const { tunnel, epoch } = lease
    await recordUpstreams(t.of(ada), ada, { agent, upstreams: [{ tunnel, epoch, code: 'PT-6099' }] })
    expect(await seen()).toMatchObject({ state: 'upstream_failing', why: { code: 'PT-6099' } })
  })
})

describe('a refused claim', () => {
  /** The plan has no place online for it. */
  const tight = () => ({ ...ada, limits: { ...ada.limits, tunnelsOnline: 0 } })

  const ask = async (caller: Caller) =>
    await claimLeases(t.control, caller, { agent, tunnels: [{ name: 'db', kind: 'tcp' }], takeover: false })

  test('shows at its tunnel until a claim is granted', async () => {
    await createTunnel(t.of(ada), ada, { name: 'db', kind: 'tcp', policy: {} })
    await ask(tight())
    const since = t.clock.now()
    expect(await seen()).toMatchObject({ state: 'refused', why: { code: 'PT-2201', since } })
    t.clock.advance(hour + minute)
    await t.openCell()
    await ask(tight())
    t.clock.advance(hour + minute)
    expect(await seen(), 'it still asks').toMatchObject({ state: 'refused', why: { since } })
    await t.openCell()
    await claim()
    expect((await seen()).state).toBe('connecting')
    expect((await t.control.store.get(tunnels.ref((await seen()).id)))?.data.refused).toBeUndefined()
  })

  test('is forgotten when nobody has asked for two hours', async () => {
    await createTunnel(t.of(ada), ada, { name: 'db', kind: 'tcp', policy: {} })
    await ask(tight())
    t.clock.advance(2 * hour)
    expect(await seen()).toMatchObject({ state: 'never_used' })
  })

  test('asked for all the time it is written once an hour', async () => {
    await createTunnel(t.of(ada), ada, { name: 'db', kind: 'tcp', policy: {} })
    await ask(tight())
    const ref = tunnels.ref((await seen()).id)
    const { version } = (await t.control.store.get(ref)) ?? {}
    for (let n = 0; n < 5; n++) {
      t.clock.advance(minute / 2)
      await ask(tight())
    }
    expect((await t.control.store.get(ref))?.version).toBe(version)
  })

  test('says nothing of a tunnel that another agent serves', async () => {
    await serve(await claim())
    const result = await claimLeases(t.control, ada, {
      agent: other,
      tunnels: [{ name: 'db', kind: 'tcp' }],
      takeover: false,
    })
    expect(result.results).toMatchObject([{ problem: { code: expect.stringMatching(/^PT-21/) } }])
    expect(await seen()).toMatchObject({ state: 'healthy' })
  })
})

test('every state has words, and those that want a look come first', () => {
  expect(new Set(tunnelStates.map(stateWord)).size).toBe(tunnelStates.length)
  expect(tunnelStates.filter(isTrouble)).toEqual(tunnelStates.slice(0, 3))
  expect(tunnelStates.filter(isServed)).toContain('upstream_failing')
})

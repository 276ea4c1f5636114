/** What the owner of tunnels is told when agents and upstreams come and go, by mails. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import type { SyncRequest } from '../../api/schemas/relays.ts'
import type { Lease } from '../../api/schemas/tunnels.ts'
import { newId } from '../../base/ids.ts'
import type { Caller } from '../caller.ts'
import { claimLeases, renewLeases } from '../claims.ts'
import { releaseLeases } from '../releases.ts'
import { recordUpstreams } from '../upstream-reports.ts'
import { alerts, rulesRef } from './alert-documents.ts'

const agent = newId('agt', 1)
const minuteMs = 60_000
let t: TestControl
let owner: Caller
let leases: readonly Lease[]
/** Tunnels whose agent the relay does not have now. */
let gone: ReadonlySet<string>

beforeEach(async () => {
  t = makeTestControl({ plan: 'team' })
  await t.openCell()
  owner = await t.caller()
  leases = []
  gone = new Set()
})
afterEach(() => t.close())

async function claim(names: readonly string[]): Promise<void> {
  const tunnels = names.map((name) => ({ name, kind: 'http' as const }))
  leases = []
  for (let start = 0; start < tunnels.length; start += 10) {
    const some = tunnels.slice(start, start + 10)
    const { results } = await claimLeases(t.control, owner, { agent, tunnels: some, takeover: false })
    leases = [...leases, ...results.flatMap((result) => ('lease' in result ? [result.lease] : []))]
  }
  expect(leases).toHaveLength(names.length)
}

/** Minute by minute: the relay reports, the agent renews every half hour while it is there, and jobs run. */
async function pass(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    t.clock.advance(minuteMs)
    await t.sync(reportOf())
    const there = leases.filter(({ tunnel }) => !gone.has(tunnel))
    if (minute % 30 === 29 && there.length > 0)
      await renewLeases(t.control, owner, {
        agent,
        leases: there.map(({ tunnel, epoch }) => ({ tunnel, epoch })),
      })
    await t.runJobs()
  }
}

function reportOf(): Partial<SyncRequest> {
  const each = leases.map(({ tunnel, endpoint: { id: endpoint }, epoch }) => ({ tunnel, endpoint, epoch }))
  return {
    bound: each.filter(({ tunnel }) => !gone.has(tunnel)),
    away: each.map((lease) => ({ ...lease, agent, away: gone.has(lease.tunnel) })),
  }
}

const lose = (these = leases) => {
  gone = new Set(these.map(({ tunnel }) => tunnel))
}
const told = () => t.mails.splice(0).map(({ subject }) => subject)
const upstream = (code?: string) =>
  recordUpstreams(t.of(owner), owner, {
    agent,
    upstreams: leases.map(({ tunnel, epoch }) => ({ tunnel, epoch, ...(code && { code }) })),
  })

test('an agent that dies with 20 tunnels is one mail, and one when it is back', async () => {
  await claim(Array.from({ length: 20 }, (_, n) => `shop-${n}`))
  await pass(3)
  expect(told()).toEqual([])
  lose()
  await pass(5)
  expect(told(), 'not before five minutes').toEqual([])
  await pass(4)
  expect(told()).toEqual(['Tunnel is down: 20 of them ("ada")'])
  await pass(60)
  expect(told()).toEqual([])
  gone = new Set()
  await pass(12)
  expect(told()).toEqual(['20 alerts are over ("ada")'])
  await pass(60)
  expect(t.documents().filter(({ id }) => id.startsWith('alert.'))).toEqual([])
})

test('a blip is nobody’s news, and neither is a tunnel that its user stopped', async () => {
  await claim(['shop'])
  await pass(2)
  lose()
  await pass(3)
  gone = new Set()
  await pass(20)
  await releaseLeases(t.control, owner, { agent, tunnels: leases.map(({ tunnel }) => tunnel) })
  leases = []
  await pass(30)
  expect(told()).toEqual([])
})

test('a machine that stays off is told once, also when its lease has lapsed', async () => {
  await claim(['shop'])
  await pass(2)
  lose()
  await pass(8 * 60)
  expect(told()).toEqual(['Tunnel is down: shop ("ada")'])
  gone = new Set()
  await claim(['shop'])
  await pass(10)
  expect(told()).toEqual(['Over: Tunnel is down: shop ("ada")'])
})

test('an upstream that is down is told with its code, unless there is maintenance', async () => {
  await claim(['shop'])
  await pass(2)
  const until = t.clock.now() + 60 * minuteMs
  const night = { id: 'mnt_1', tunnel: '', from: t.clock.now(), until, note: 'deploy', by: owner.actor }
  const rules = { account: owner.account, rules: [], windows: [night], revision: 1 }
  await t.control.store.set(rulesRef(owner.account), rules)
  await upstream('PT-3001')
  await pass(30)
  expect(told()).toEqual([])
  await pass(35)
  const [mail] = t.mails.splice(0)
  expect(mail?.subject).toBe('Upstream is failing: shop ("ada")')
  expect(mail?.text).toContain('PT-3001')
  expect(mail?.offUrl).toContain('/v1/mails/off/alerts.')
  await upstream()
  await pass(10)
  expect(told()).toEqual(['Over: Upstream is failing: shop ("ada")'])
})

test('a rule that is off tells nothing', async () => {
  await claim(['shop'])
  const rules = [{ kind: 'tunnel.upstream', on: false }]
  const doc = { account: owner.account, rules, windows: [], revision: 1 }
  await t.control.store.set(rulesRef(owner.account), doc)
  await upstream('PT-3001')
  await pass(60)
  expect(told()).toEqual([])
  expect(await t.control.store.get(alerts.ref('alr_none'))).toBeUndefined()
})

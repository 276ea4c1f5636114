import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, quietSync, type TestControl } from '../../standalone/testing/control.ts'
import { type SyncRequest, syncSchema } from '../api/schemas/relays.ts'
import { fail } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { silentLog } from '../base/log.ts'
import { limits } from '../protocol/limits.ts'
import { setAccountStatus } from './accounts.ts'
import { lateMaxMs } from './books/calendar.ts'
import type { Caller } from './caller.ts'
import { ensureCell } from './cells.ts'
import { claimLeases } from './claims.ts'
import { type Control, controlOf, makeControl } from './control.ts'
import { commands, deletedTunnels, endpoints } from './documents.ts'
import { topics } from './names.ts'
import { policyOf } from './plans.ts'
import type { Doc, Store } from './platform.ts'
import { queries } from './query-table.ts'
import { syncRelay } from './relays.ts'
import { releaseLeases } from './releases.ts'
import { createTunnel, deleteTunnel, describeTunnels, listTunnels, updateTunnel } from './tunnels.ts'
import { usageHours } from './usage-documents.ts'
import { readUsage } from './usage-sums.ts'
import { issueWatch } from './watch.ts'

const hour = 3_600_000
const agent = newId('agt', 1)
const boot = quietSync.boot.boot

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller()
})
afterEach(() => t.close())

async function claimDb() {
  const tunnels = [{ name: 'db', kind: 'tcp' as const }]
  const { results } = await claimLeases(t.control, ada, { agent, tunnels, takeover: false })
  const [first] = results
  if (!first || !('lease' in first)) throw new Error('no lease')
  return first.lease
}

describe('sync: commands', () => {
  test('a relay hears every command that a live ticket may need, and after its cursor only new ones', async () => {
    const first = await claimDb()
    await releaseLeases(t.control, ada, { agent, tunnels: [first.tunnel] })
    const atBoot = await t.sync()
    expect(atBoot.commands.map(({ kind }) => kind)).toEqual(['revoke'])
    // The last two minutes are read again, for slow commits.
    t.clock.advance(60_000)
    const again = await t.sync({ cursor: atBoot.cursor })
    expect(again.commands).toHaveLength(1)
    t.clock.advance(120_001)
    expect((await t.sync({ cursor: again.cursor })).commands).toHaveLength(1)
    const quiet = await t.sync({ cursor: `${t.clock.now()}` })
    expect(quiet.commands).toEqual([])
    t.clock.advance(limits.ticketMs + limits.skewMs)
    expect((await t.sync()).commands).toEqual([])
  })

  test('a change of an account, a policy or a lease reaches the cell’s bus at once', async () => {
    const heard: Doc[] = []
    const all = Promise.withResolvers<void>()
    await t.control.bus.subscribe(topics.commands('home'), 'test', (message) => {
      heard.push(message)
      if (heard.length === 3) all.resolve()
    })
    const { tunnel } = await claimDb()
    await updateTunnel(t.of(ada), ada, { id: tunnel, change: { policy: { deny: ['192.0.2.0/24'] } } })
    await setAccountStatus(t.control, ada.account, 'suspended')
    await deleteTunnel(t.of(ada), ada, { id: tunnel })
    await all.promise
    expect(heard.map(({ kind }) => kind).toSorted()).toEqual(['policy', 'revoke', 'suspend'])
    const { commands } = await t.sync()
    expect(commands.map(({ id }) => id).toSorted()).toEqual(heard.map(({ id }) => id).toSorted())
  })

  test('rules about requests reach relays from http tunnels, and other tunnels refuse them', async () => {
    const rules = { requestsPerMinute: 60, bodyBytesMax: 1_000, httpsOnly: true, acme: 'upstream' as const }
    const make = (kind: 'http' | 'tcp', policy: object) =>
      createTunnel(t.of(ada), ada, { name: `ruled-${kind}`, kind, policy })
    await expect(make('tcp', { httpsOnly: true })).rejects.toMatchObject({ key: 'policy.needs_http' })
    await expect(make('tcp', { acme: 'upstream' })).rejects.toMatchObject({ key: 'policy.needs_http' })
    const { ref } = await make('tcp', {})
    await expect(
      updateTunnel(t.of(ada), ada, { id: ref.id, change: { policy: { bodyBytesMax: 1 } } }),
    ).rejects.toMatchObject({ key: 'policy.needs_http' })
    const { data } = await make('http', rules)
    expect(policyOf(data.policy, ada.limits)).toMatchObject(rules)
    expect(policyOf({}, ada.limits)).not.toHaveProperty('httpsOnly')
  })

  test('a foreign cursor counts as none', async () => {
    await claimDb()
    expect((await t.sync({ cursor: "1' OR 1" })).cursor).toBe(`${t.clock.now()}`)
  })
})

describe('sync: who may report', () => {
  const as = (instance: string): Partial<SyncRequest> => ({ boot: { ...quietSync.boot, instance } })

  test('a cell takes 16 relay processes, and a place is free an hour after a relay’s last report', async () => {
    for (let n = 2; n <= 16; n++) await t.sync(as(`r${n}`))
    await expect(t.sync(as('r17'))).rejects.toMatchObject({ key: 'cell.full' })
    await t.sync(as('r16'))
    t.clock.advance(limits.ticketMs + 1)
    await t.sync(as('r17'))
  })

  test('each of two control planes keeps what the other has heard, and counts the relays it knows', async () => {
    const other = makeControl(t.control, { ...t.control, log: silentLog })
    const { tunnel, epoch, endpoint } = await claimDb()
    const claims = { relay: newId('rel', 2), cell: 'home' }
    await syncRelay(other, claims, { ...quietSync, ...as('r2') })
    await t.sync(as('r3'))
    const report = { tunnel, epoch, endpoint: endpoint.id, away: true }
    const away = async () => {
      const [holder] = Object.values(
        (await t.control.store.get(endpoints.ref(endpoint.id)))?.data.holders ?? {},
      )
      return Object.keys(holder?.away ?? {})
    }
    await t.sync({ away: [report] })
    await syncRelay(other, claims, { ...quietSync, ...as('r2'), away: [report] })
    expect(await away(), 'the third has its agent').toEqual(['r1', 'r2'])
    for (let n = 4; n <= 16; n++) await t.sync(as(`r${n}`))
    const late = { claims: { ...claims, relay: newId('rel', 17) }, request: { ...quietSync, ...as('r17') } }
    await expect(syncRelay(other, late.claims, late.request)).rejects.toMatchObject({ key: 'cell.full' })
  })

  test('a changed cell and a leaving relay are seen at once where they were reported, and soon elsewhere', async () => {
    const other = makeControl(t.control, { ...t.control, log: silentLog })
    const { tunnel } = await claimDb()
    const sources = async (control: Control) =>
      (await issueWatch(controlOf(control, ada.account), ada, [tunnel])).sources
    expect([await sources(t.control), await sources(other)]).toMatchObject([{ length: 1 }, { length: 1 }])
    await t.sync({ state: 'draining' })
    expect(await sources(t.control)).toEqual([])
    t.clock.advance(15_000)
    expect(await sources(other)).toEqual([])
    await t.openCell({ host: 'moved.example.com' })
    expect((await t.sync()).cell.host).toBe('moved.example.com')
  })

  test('no rule waits for a relay that has left, unless it comes again', async () => {
    const present = async () => [
      (await t.control.cells.lately('home')).relays.length,
      (await t.control.cells.now('home')).relays.length,
    ]
    await claimDb()
    expect(await present()).toEqual([1, 1])
    await t.sync({ state: 'draining', sequence: 8, last: true })
    expect(await present()).toEqual([0, 0])
    await t.sync({ sequence: 7 })
    expect(await present(), 'said before it left').toEqual([0, 0])
    await t.sync({ boot: { ...quietSync.boot, boot: 'b'.repeat(26) } })
    expect(await present()).toEqual([1, 1])
  })

  test('relays hear when agents should go elsewhere, but not when a relay’s successor takes its address', async () => {
    const at = (instance: string, port: number) => ({
      boot: { ...quietSync.boot, instance, agentAddress: { host: 'r.example.com', port, sni: 'r.test' } },
    })
    const alone = (await t.sync(at('r1', 1))).directory
    expect((await t.sync(at('r1b', 1))).directory).toBe(alone)
    const both = (await t.sync(at('r2', 2))).directory
    expect(both).not.toBe(alone)
    expect((await t.sync({ ...at('r1', 1), state: 'draining', last: true })).directory).toBe(both)
    expect((await t.sync({ ...at('r2', 2), state: 'draining', last: true })).directory).toBe(alone)
  })

  test('a restarting relay stays in the directory; a new one is not in it until it is ready', async () => {
    const at = (instance: string, boot: string) => ({
      boot: { ...quietSync.boot, boot: boot.repeat(26), instance, agentAddress: { ...address, port: 7 } },
    })
    const address = { host: 'r.example.com', port: 1, sni: 'r.test' }
    const alone = (await t.sync()).directory
    expect((await t.sync({ ...at('r2', 'a'), state: 'starting' })).directory).toBe(alone)
    const both = (await t.sync(at('r2', 'a'))).directory
    expect(both).not.toBe(alone)
    t.clock.advance(5_000)
    expect((await t.sync({ ...at('r2', 'b'), state: 'starting' })).directory).toBe(both)
    expect((await t.sync(at('r2', 'b'))).directory).toBe(both)
  })

  test('a relay of another cell cannot speak for a tunnel of this one', async () => {
    const { tunnel, epoch, endpoint } = await claimDb()
    const claims = { relay: newId('rel', 9), cell: 'away' }
    await expect(syncRelay(t.control, claims, quietSync)).rejects.toMatchObject({ key: 'cell.none' })
    const face = { host: 'x.example.com', domain: 'x.example.com', portFrom: 30_000, portTo: 30_001 }
    await ensureCell(t.control, { id: 'away', ...face, httpScheme: 'http', httpPort: 80, tlsPort: 443 })
    const usage = [{ tunnel, account: ada.account, boot, hour: 0, in: 1, out: 1, opened: 1, refused: 0 }]
    const away = [{ tunnel, epoch, endpoint: endpoint.id, away: true }]
    await syncRelay(t.control, claims, { ...quietSync, usage, away })
    expect((await readUsage(t.of(ada), ada, { from: 0, to: 1 })).total.in).toBe(0)
    expect(await t.control.store.get(usageHours.ref(`${tunnel}:0:${boot}`))).toBeUndefined()
  })
})

describe('usage', () => {
  const counts = { in: 100, out: 2_000, opened: 3, refused: 1 }
  const nowHour = () => Math.floor(t.clock.now() / hour) * hour
  const rowOf = (tunnel: string, changes: Partial<SyncRequest['usage'][number]> = {}) => ({
    tunnel,
    account: ada.account,
    boot,
    hour: nowHour(),
    ...counts,
    ...changes,
  })
  const total = async () => (await readUsage(t.of(ada), ada, {})).total

  test('a repeated, late or reordered report changes nothing', async () => {
    const { tunnel } = await claimDb()
    const later = rowOf(tunnel, { in: 500, out: 9_000, opened: 7 })
    const answer = await t.sync({ usage: [later], report: 'r7' })
    expect(answer.acknowledged).toBe('r7')
    for (const usage of [[later], [rowOf(tunnel)], [later]]) await t.sync({ usage })
    expect(await total()).toEqual({ in: 500, out: 9_000, opened: 7, refused: 1 })
  })

  test('another boot and another hour add up, by hour and by tunnel', async () => {
    const { tunnel } = await claimDb()
    const other = await createTunnel(t.of(ada), ada, { name: 'web', kind: 'http', policy: {} })
    const next = boot.replace('boot', 'next')
    await t.sync({ usage: [rowOf(tunnel), rowOf(tunnel, { boot: next })] })
    await t.sync({ usage: [rowOf(tunnel, { hour: nowHour() - hour }), rowOf(other.ref.id)] })
    const usage = await readUsage(t.of(ada), ada, {})
    expect(usage.total.in).toBe(300)
    expect(usage.hours.map((each) => [each.hour, each.in])).toEqual([
      [nowHour() - hour, 100],
      [nowHour(), 200],
    ])
    // The second tunnel was never in this cell, so its row is refused.
    expect(usage.tunnels).toEqual([{ tunnel, in: 300, out: 6_000, opened: 9, refused: 3 }])
    const one = await readUsage(t.of(ada), ada, { tunnel, from: nowHour(), to: nowHour() })
    expect(one.total.in).toBe(200)
  })

  test('a tunnel that was deleted is still counted, for its own account only, as long as usage is taken at all', async () => {
    const { tunnel } = await claimDb()
    await deleteTunnel(t.of(ada), ada, { id: tunnel })
    const left = await t.control.store.get(deletedTunnels.ref(tunnel))
    expect(left?.data.ttl).toEqual(new Date(t.clock.now() + lateMaxMs))
    const eve = await t.caller('eve@example.com')
    await t.sync({
      usage: [rowOf(tunnel, { account: eve.account }), rowOf(tunnel, { boot: boot.replace('b', 'c') })],
    })
    expect((await total()).in).toBe(100)
    expect((await readUsage(t.of(eve), eve, {})).total.in).toBe(0)
  })
})

describe('sync: bad weather', () => {
  const row = (tunnel: string, changes: object = {}) => ({
    tunnel,
    account: ada.account,
    boot,
    hour: Math.floor(t.clock.now() / hour) * hour,
    in: 1,
    out: 1,
    opened: 1,
    refused: 0,
    ...changes,
  })

  test('invalid entries are refused one by one with a code, and the rest is stored', async () => {
    const { tunnel } = await claimDb()
    const usage = [
      row(tunnel, { in: -1 }),
      row(tunnel, { minutes: 'not a series' }),
      row(newId('tun', 9)),
      row(tunnel, { hour: row(tunnel).hour + 2 * hour }),
      'nonsense',
      row(tunnel, { hour: row(tunnel).hour - 100 * 24 * hour }),
    ]
    const events = [{ at: 1.5, kind: 'x', fields: {} }]
    const bound = [{ endpoint: 'nonsense', tunnel, epoch: 1 }]
    const request = syncSchema.parse({ ...quietSync, usage, events, bound, report: 'r1' })
    const answer = await t.sync(request)
    expect(answer.acknowledged).toBe('r1')
    expect(answer.refused).toEqual([
      { index: 0, code: 'PT-5012' },
      { index: 2, code: 'PT-5013' },
      { index: 3, code: 'PT-5014' },
      { index: 4, code: 'PT-5012' },
      { index: 5, code: 'PT-5015' },
    ])
    expect((await readUsage(t.of(ada), ada, {})).total).toMatchObject({ in: 1, out: 1 })
  })

  test('a leased tunnel waits until a relay has its agent, and again after its lease changes hands', async () => {
    const stateOf = async () => {
      const { items } = await listTunnels(t.of(ada), ada, { limit: 1 })
      return (await describeTunnels(t.of(ada), items))[0]?.state
    }
    const { tunnel, epoch, endpoint } = await claimDb()
    expect(await stateOf()).toBe('connecting')
    const bound = [{ tunnel, epoch, endpoint: endpoint.id }]
    await t.sync({ bound: [{ tunnel, epoch: epoch - 1, endpoint: endpoint.id }] })
    expect(await stateOf(), 'somebody of before').toBe('connecting')
    await t.sync({ bound })
    expect(await stateOf()).toBe('healthy')
    await t.sync({ bound: [] })
    await t.sync({ bound })
    expect(await stateOf(), 'the same lease').toBe('healthy')
    const tunnels = [{ name: 'db', kind: 'tcp' as const }]
    await claimLeases(t.control, ada, { agent: newId('agt', 2), tunnels, takeover: true })
    expect(await stateOf()).toBe('connecting')
  })

  test('fields of a later release are ignored, and its commands are passed on unchanged', async () => {
    const later = { ...quietSync, weather: 'fine', load: { ...quietSync.load, gpu: 1 } }
    await t.sync(syncSchema.parse(later))
    const body = { id: newId('cmd', 1), kind: 'dance', at: t.clock.now(), steps: [1, 2] }
    const ttl = new Date(t.clock.now() + hour)
    await t.control.store.create(commands.ref(body.id), { cell: 'home', body, createdAt: body.at, ttl })
    expect((await t.sync()).commands).toEqual([body])
  })

  test('a request overtaken by a later one of the same boot changes only usage', async () => {
    const { tunnel, epoch, endpoint } = await claimDb()
    const away = { tunnel, endpoint: endpoint.id, epoch, away: true }
    await t.sync({ sequence: 7, away: [away], bound: [] })
    await t.sync({ sequence: 8, away: [{ ...away, away: false }] })
    await t.sync({ sequence: 7, state: 'draining', away: [away], usage: [row(tunnel)] })
    const { items } = await listTunnels(t.of(ada), ada, { limit: 1 })
    expect(await describeTunnels(t.of(ada), items)).not.toMatchObject([{ state: 'offline' }])
    expect(
      (await t.control.store.query(queries.relaysOfCell, { where: { cell: 'home' }, limit: 9 })).items,
    ).toMatchObject([{ data: { state: 'ready', sequence: 8 } }])
    expect((await readUsage(t.of(ada), ada, {})).total.in).toBe(1)
  })

  test('a store that fails in the middle acknowledges nothing, and the same report is taken later', async () => {
    const { tunnel } = await claimDb()
    const request = { ...quietSync, usage: [row(tunnel)], report: 'r1' }
    const claims = { relay: newId('rel', 9), cell: 'home' }
    const broken = { ...t.control, store: failing(t.control.store) }
    await expect(syncRelay(broken, claims, request)).rejects.toMatchObject({ key: 'store.unavailable' })
    expect((await readUsage(t.of(ada), ada, {})).total.in).toBe(0)
    expect(await syncRelay(t.control, claims, request)).toMatchObject({ acknowledged: 'r1' })
    expect((await readUsage(t.of(ada), ada, {})).total.in).toBe(1)
  })
})

/** A store that reads but does not write. */
function failing(store: Store): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (name === 'change' || name === 'set' || name === 'batch')
        return () => Promise.reject(fail('store.unavailable'))
      const value = target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import type { Lease } from '../api/schemas/tunnels.ts'
import { newId } from '../base/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { endpoints } from './documents.ts'
import { topics } from './names.ts'
import { plans } from './plans.ts'
import type { Doc } from './platform.ts'
import { quotas } from './quota-documents.ts'
import { releaseLeases } from './releases.ts'
import { sweep } from './sweeper.ts'
import { deleteTunnel } from './tunnels.ts'

const agent = newId('agt', 1)
let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl()
  await t.openCell()
  ada = await t.caller('ada@example.com', { limits: plans.unlimited })
})
afterEach(() => t.close())

async function claim(names: readonly string[], caller = ada): Promise<readonly Lease[]> {
  const tunnels = names.map((name) => ({ name, kind: 'tcp' as const }))
  const { results } = await claimLeases(t.control, caller, { agent, tunnels, takeover: false })
  return results.flatMap((result) => ('lease' in result ? [result.lease] : []))
}
const onlineNow = async () => (await t.control.store.get(quotas.ref(ada.account)))?.data.online
const stateOf = async ({ endpoint }: Lease) =>
  (await t.control.store.get(endpoints.ref(endpoint.id)))?.data.state

describe('releases', () => {
  test('a list of any length ends what the agent holds and nothing else, and again changes nothing', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `n${n}`)
    const own = await claim(names)
    const [kept, ...given] = own
    const [foreign] = await claim(['db'], await t.caller('eve@example.com'))
    if (!kept || !foreign) throw new Error('no lease')
    const ids = [...given, foreign].map(({ tunnel }) => tunnel)
    await releaseLeases(t.control, ada, { agent: newId('agt', 2), tunnels: ids })
    expect(await onlineNow(), 'another agent').toBe(12)
    for (let times = 0; times < 2; times++)
      await releaseLeases(t.control, ada, { agent, tunnels: [...ids, ...ids] })
    expect(await onlineNow()).toBe(1)
    expect(await Promise.all([kept, foreign].map(stateOf))).toEqual(['leased', 'leased'])
    expect(new Set(await Promise.all(given.map(stateOf)))).toEqual(new Set(['resting']))
    expect((await t.sync()).commands).toHaveLength(11)
  })

  test('released and lapsed leases reach relays only by sync, deleted ones by the bus', async () => {
    const heard: Doc[] = []
    const first = Promise.withResolvers<void>()
    await t.control.bus.subscribe(topics.commands('home'), 'test', (message) => {
      heard.push(message)
      first.resolve()
    })
    const [given, lapsed] = await claim(['given', 'lapsed'])
    if (!given || !lapsed) throw new Error('no lease')
    await releaseLeases(t.control, ada, { agent, tunnels: [given.tunnel] })
    expect((await t.sync()).commands).toMatchObject([{ kind: 'revoke', endpoint: given.endpoint.id }])
    t.clock.advance(limits.leaseMs + 1)
    await t.sync()
    expect(await sweep(t.control)).toMatchObject({ expired: 1 })
    const [deleted] = await claim(['deleted'])
    if (!deleted) throw new Error('no lease')
    await deleteTunnel(t.of(ada), ada, { id: deleted.tunnel })
    await first.promise
    expect(heard).toMatchObject([{ kind: 'revoke', endpoint: deleted.endpoint.id }])
    const { commands } = await t.sync()
    expect(
      commands.flatMap((command) => (command.kind === 'revoke' ? [command.endpoint] : [])).sort(),
    ).toEqual([lapsed, deleted].map(({ endpoint }) => endpoint.id).sort())
  })

  test('relays hear of a deleted tunnel, offline or not, as long as they say that it is offline', async () => {
    const [served, offline, old] = await claim(['served', 'offline', 'old'])
    if (!served || !offline || !old) throw new Error('no lease')
    await releaseLeases(t.control, ada, { agent, tunnels: [old.tunnel] })
    t.clock.advance(limits.placeMs)
    await t.sync()
    const [again] = await claim(['served'])
    if (!again) throw new Error('no lease')
    await releaseLeases(t.control, ada, { agent, tunnels: [offline.tunnel] })
    await t.sync()
    for (const { tunnel } of [served, offline, old]) await deleteTunnel(t.of(ada), ada, { id: tunnel })
    const { commands } = await t.sync()
    const told = commands.flatMap((one) =>
      one.kind === 'revoke' && one.reason === 'deleted' ? [one.endpoint] : [],
    )
    expect(told.sort()).toEqual([served, offline].map(({ endpoint }) => endpoint.id).sort())
  })
})

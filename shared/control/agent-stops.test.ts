/** An agent that somebody stopped ends everywhere, and comes back only when somebody starts it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { keyOfCode } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { stopAgent } from './agent-stops.ts'
import { listAgents } from './agents.ts'
import type { Caller } from './caller.ts'
import { claimLeases, renewLeases } from './claims.ts'
import { queries } from './query-table.ts'
import { quotas } from './quota-documents.ts'
import { releaseLeases } from './releases.ts'
import { silentStopMs } from './stop-rules.ts'
import { describeTunnels, listTunnels } from './tunnels.ts'

const [laptop, desktop] = [newId('agt', 1), newId('agt', 2)]
const hourMs = 3_600_000
type Wanted = { name: string; kind: 'tcp'; agents?: 'many' }
const db: Wanted = { name: 'db', kind: 'tcp' }
const pool: Wanted = { ...db, agents: 'many' }

let t: TestControl
let ada: Caller
beforeEach(async () => {
  t = makeTestControl({ plan: 'unlimited' })
  await t.openCell({ portTo: 20_099 })
  ada = await t.caller('ada@example.com')
})
afterEach(() => t.close())

/** @returns what each tunnel got: `leased`, or the key of its refusal */
async function claim(
  tunnels: readonly Wanted[],
  { agent = laptop, runningMs }: { agent?: string; runningMs?: number } = {},
): Promise<readonly string[]> {
  t.clock.advance(1)
  const request = { agent, tunnels: [...tunnels], takeover: false }
  const { results } = await claimLeases(t.control, ada, request, { runningMs })
  return results.map((one) => ('lease' in one ? 'leased' : (keyOfCode(one.problem.code) ?? '')))
}

const stop = (caller = ada, agent = laptop) => stopAgent(t.of(caller), caller, agent)
const agents = async () => (await listAgents(t.of(ada), ada)).map(({ id }) => id)
const online = async () => (await t.control.store.get(quotas.ref(ada.account)))?.data.online
const revokes = async () =>
  (await t.sync()).commands.flatMap((one) => (one.kind === 'revoke' ? [[one.reason, one.agents]] : []))

describe('stopping an agent', () => {
  test('all its leases end, relays hear of whom, it is written down, and others stay', async () => {
    const names = Array.from({ length: 11 }, (_, at) => `t${String(at).padStart(2, '0')}`)
    await claim(names.map((name) => ({ name, kind: 'tcp' })))
    await claim([db], { agent: desktop })
    expect(await stop()).toEqual(names)
    expect(await agents()).toEqual([desktop])
    expect(await online()).toBe(1)
    expect(await revokes()).toEqual(names.map(() => ['stopped', [laptop]]))
    const { items } = await t.control.store.query(queries.auditByTarget, {
      where: { account: ada.account, target: laptop },
      limit: 5,
    })
    expect(items.map(({ data }) => [data.action, data.actor])).toEqual([['agent.stopped', ada.actor]])
    expect(items[0]?.data.body).toContain('"tunnels":11')
  })

  test('one that serves nothing is not there, nor one of another account, or of other tunnels for a key', async () => {
    await claim([db])
    const eve = await t.caller('eve@example.com')
    for (const [caller, agent] of [
      [ada, desktop],
      [eve, laptop],
      [{ ...ada, tunnels: new Set(['web']) }, laptop],
    ] as const)
      await expect(stop(caller, agent)).rejects.toMatchObject({ key: 'api.not_found' })
    await claim([{ name: 'web', kind: 'tcp' }])
    await expect(stop({ ...ada, tunnels: new Set(['web']) })).rejects.toMatchObject({ key: 'auth.scope' })
    expect(await online()).toBe(2)
  })

  test('in a pool only its part ends, and the others claim again', async () => {
    await claim([pool])
    await claim([pool], { agent: desktop })
    await stop()
    expect(await agents()).toEqual([desktop])
    expect(await revokes()).toEqual([['moved', [laptop]]])
    expect(await online()).toBe(1)
    expect(await claim([pool], { agent: desktop, runningMs: hourMs })).toEqual(['leased'])
    expect(await claim([pool], { runningMs: hourMs })).toEqual(['agent.stopped'])
  })
})

describe('after the stop', () => {
  test('the program that was stopped is refused however long it waits; one that was started since is not', async () => {
    await claim([db], { runningMs: 1_000 })
    await stop()
    expect(await claim([db], { runningMs: hourMs })).toEqual(['agent.stopped'])
    t.clock.advance(10 * hourMs)
    await t.sync()
    expect(await claim([db], { runningMs: 11 * hourMs })).toEqual(['agent.stopped'])
    expect(await claim([db], { runningMs: 500 })).toEqual(['leased'])
    // Another process of the same machine, which slept meanwhile.
    expect(await claim([db], { runningMs: 11 * hourMs })).toEqual(['agent.stopped'])
  })

  test('the tunnel says why it is offline, until another end', async () => {
    await claim([db])
    await stop()
    const why = async () => {
      const { items } = await listTunnels(t.of(ada), ada, { limit: 1 })
      const [tunnel] = await describeTunnels(t.of(ada), items)
      return [tunnel?.state, tunnel?.why.code]
    }
    expect(await why()).toEqual(['offline', 'PT-2900'])
    await claim([db], { agent: desktop })
    const { items } = await listTunnels(t.of(ada), ada, { limit: 1 })
    await releaseLeases(t.control, ada, { agent: desktop, tunnels: [items[0]?.ref.id ?? ''] })
    expect(await why()).toEqual(['offline', undefined])
  })

  test('its renewal sends it to claim again, which says why', async () => {
    t.clock.advance(1)
    const request = { agent: laptop, tunnels: [db], takeover: false }
    const [first] = (await claimLeases(t.control, ada, request)).results
    if (!first || !('lease' in first)) throw new Error('no lease')
    await stop()
    const { tunnel, epoch } = first.lease
    const { results } = await renewLeases(t.control, ada, { agent: laptop, leases: [{ tunnel, epoch }] })
    expect(results).toMatchObject([{ problem: { code: 'PT-2103' } }])
  })

  test('another agent gets the tunnel at once', async () => {
    await claim([db])
    await stop()
    expect(await claim([db], { agent: desktop, runningMs: hourMs })).toEqual(['leased'])
  })

  test('an older agent, which does not say how long it runs, is refused for a minute', async () => {
    await claim([db])
    await stop()
    expect(await claim([db])).toEqual(['session.revoked'])
    t.clock.advance(silentStopMs)
    await t.sync()
    expect(await claim([db])).toEqual(['leased'])
  })
})

/** The list of agents, from the leases that they hold. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { codes } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { listAgents } from './agents.ts'
import type { Caller } from './caller.ts'
import { claimLeases } from './claims.ts'
import { releaseLeases } from './releases.ts'
import { recordUpstreams } from './upstream-reports.ts'

const [laptop, server] = [newId('agt', 1), newId('agt', 2)]
let t: TestControl
let ada: Caller

beforeEach(async () => {
  t = makeTestControl({ plan: 'unlimited' })
  await t.openCell({ portTo: 20_099 })
  ada = { ...(await t.caller()), from: '203.0.113.7', userAgent: 'ptun/0.1.0 node/24.11.0 linux host/laptop' }
})
afterEach(() => t.close())

async function serve(agent: string, name: string, caller = ada) {
  t.clock.advance(1)
  const request = { agent, tunnels: [{ name, kind: 'tcp' as const }], takeover: false }
  const [first] = (await claimLeases(t.control, caller, request)).results
  if (!first || !('lease' in first)) throw new Error(JSON.stringify(first))
  const { tunnel, epoch, endpoint } = first.lease
  await t.sync({ bound: [{ tunnel, epoch, endpoint: endpoint.id }] })
  return first.lease
}

const list = (caller = ada) => listAgents(t.of(ada), caller)

test('agents: each has its machine, its address and all its tunnels, and is told once', async () => {
  await serve(laptop, 'web')
  await serve(laptop, 'db')
  const [agent, ...others] = await list()
  expect(others).toEqual([])
  expect(agent).toMatchObject({
    id: laptop,
    host: 'laptop',
    system: 'linux',
    version: '0.1.0',
    from: '203.0.113.7',
    state: 'online',
    key: ada.actor,
  })
  expect(agent?.tunnels.map(({ name }) => name).toSorted()).toEqual(['db', 'web'])
  expect(agent?.relays.every(({ connected }) => connected)).toBe(true)
})

test('agents: one whose upstream fails comes first, with the code at its tunnel', async () => {
  await serve(laptop, 'web')
  const { tunnel, epoch } = await serve(server, 'db')
  const { code } = codes['upstream.refused']
  await recordUpstreams(t.of(ada), ada, { agent: server, upstreams: [{ tunnel, epoch, code }] })
  const agents = await list()
  expect(agents.map(({ id, state }) => [id, state])).toEqual([
    [server, 'failing'],
    [laptop, 'online'],
  ])
  expect(agents[0]?.tunnels).toEqual([{ tunnel, name: 'db', state: 'failing', code }])
})

test('agents: a program that is not ptun shows only its address, however long its name', async () => {
  await serve(laptop, 'web', { ...ada, userAgent: `curl/8 ${'x'.repeat(10_000)}` })
  const [agent] = await list()
  expect(agent).not.toHaveProperty('host')
  expect(agent).not.toHaveProperty('version')
  expect(agent?.from).toBe('203.0.113.7')
})

test('agents: a key that is bound to a tunnel sees only who serves that one, and a release ends the entry', async () => {
  const { tunnel } = await serve(laptop, 'web')
  await serve(server, 'db')
  const bound = await list({ ...ada, tunnels: new Set(['web']) })
  expect(bound.map(({ id }) => id)).toEqual([laptop])
  await releaseLeases(t.control, ada, { agent: laptop, tunnels: [tunnel] })
  expect((await list()).map(({ id }) => id)).toEqual([server])
})

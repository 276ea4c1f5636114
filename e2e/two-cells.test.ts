/**
 * One agent with tunnels in two cells, in one process: the rules on SQLite, a real relay for each cell, the agent's own
 * supervisor and sessions over real sockets. It shows that a cell's relays get only their own tunnels.
 */
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClaimResult } from '@porttunneler/shared/api/schemas/tunnels'
import { systemClock } from '@porttunneler/shared/base/clock'
import { claimLeases, renewLeases } from '@porttunneler/shared/control/claims'
import { cells } from '@porttunneler/shared/control/documents'
import { Budget } from '@porttunneler/shared/mux/budget'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import { Turn } from '@porttunneler/shared/mux/turn'
import { makeTestControl, type TestControl } from '@porttunneler/standalone/testing/control'
import type { AgentEvent } from 'porttunneler/agent/events.ts'
import { Supervisor } from 'porttunneler/agent/supervisor.ts'
import { afterEach, expect, test } from 'vitest'
import { openCell } from './harness/cells.ts'
import { patienceMs } from './harness/events.ts'

const host = '127.0.0.1'
const agent = `agt_${'1'.padStart(26, '0')}`
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** An upstream that answers with its own name. */
async function startUpstream(name: string): Promise<{ host: string; port: number }> {
  const server = createServer((_request, response) => response.end(name)).listen(0, host)
  await new Promise((resolve) => server.once('listening', resolve))
  closers.push(() => server.close())
  return { host, port: (server.address() as AddressInfo).port }
}

function visit(port: number, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, agent: false, headers: { host: name } }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve(`${response.statusCode} ${text.slice(0, 20)}`)
    })
    request.once('error', reject)
  })
}

async function startAgent(
  t: TestControl,
  names: readonly string[],
  known: ClaimResult[],
): Promise<AgentEvent[]> {
  const caller = await t.caller()
  const events: AgentEvent[] = []
  const turn = new Turn()
  const mux = {
    clock: systemClock,
    turn,
    budget: new Budget(64 * 1024 * 1024),
    liveness: new Liveness({ clock: systemClock, side: 'agent' }),
  }
  const keep = (result: ClaimResult) => {
    known.push(result)
    return result
  }
  const supervisor = new Supervisor({
    agent,
    server: 'http://control.test',
    pid: process.pid,
    wanted: await Promise.all(
      names.map(async (name) => ({ name, kind: 'http' as const, upstream: await startUpstream(name) })),
    ),
    takeover: false,
    api: {
      claim: async (request) =>
        keep(await claimLeases(t.control, caller, { ...request, tunnels: [...request.tunnels] })),
      renew: async (request) =>
        keep(await renewLeases(t.control, caller, { ...request, leases: [...request.leases] })),
      release: async () => {},
      report: async () => {},
    },
    dial: (address, options) =>
      dialRelay({ ...mux, ...options, agent, random: Math.random, address, build: 'test' }),
    turn,
    clock: systemClock,
    random: Math.random,
    emit: (event) => events.push(event),
    saved: [],
    save() {},
    retire() {},
    forget() {},
  })
  supervisor.start()
  closers.push(async () => {
    supervisor.end(0)
    await supervisor.ended
  })
  return events
}

test('an agent with tunnels in two cells serves each only at the relays of its own cell', async () => {
  const t = makeTestControl()
  closers.push(() => t.close())
  const caller = await t.caller()
  const claimIn = (name: string) =>
    claimLeases(t.control, caller, { agent, tunnels: [{ name, kind: 'http' }], takeover: false })
  const northPort = await openCell(t, 'north', 1, closers)
  await claimIn('web')
  await t.control.store.update(cells.ref('north'), { state: 'closed' })
  const southPort = await openCell(t, 'south', 2, closers)
  await claimIn('shop')
  await t.control.store.update(cells.ref('north'), { state: 'open' })
  t.control.cells.forget('north')

  const answers: ClaimResult[] = []
  const events = await startAgent(t, ['web', 'shop'], answers)
  await expect
    .poll(() => events.filter(({ event }) => event === 'tunnel.online').length, { timeout: patienceMs })
    .toBe(2)
  const online = events.flatMap((event) => (event.event === 'tunnel.online' ? [event.url] : []))
  expect(online.toSorted()).toEqual(['http://shop.south.test', 'http://web.north.test'])
  expect(await visit(northPort, 'web.north.test')).toBe('200 web')
  expect(await visit(southPort, 'shop.south.test')).toBe('200 shop')
  expect(await visit(northPort, 'shop.south.test')).toMatch(/^404 /)
  expect(await visit(southPort, 'web.north.test')).toMatch(/^404 /)
  // No ticket was sent where it does not belong: a refusal would have made the agent claim again.
  expect(answers).toHaveLength(1)
  expect(events.map(({ event }) => event)).not.toContain('tunnel.offline')
  expect(events.filter(({ event }) => event === 'relay.connected')).toHaveLength(2)
})

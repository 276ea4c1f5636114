/** A range of ports in ptun.yaml: the first visitor, a longer range, a shorter one, and a refused one. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freeRange } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { runProgram } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import { dial, type Listening, readBytes } from './harness/sockets.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { startEcho } from './harness/upstreams.ts'

let service: Service
let echo: Listening
let agent: Agent
/** The first port of the range, which has room for seven. */
let first: number
const home = agentHome()
const elsewhere = agentHome()

/** The first `count` ports of the range. */
const range = (count: number) => ({
  data: { kind: 'tcp' as const, upstream: echo.port, port: `${first}-${first + count - 1}` },
})
const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `data-${first + from + index}`)
const online = (wanted: readonly string[], from = 0) =>
  Promise.all(wanted.map((name) => agent.online(name, from)))

beforeAll(async () => {
  const ports = await freeRange()
  first = ports.from + 20
  const settings = { PORTTUNNELER_TCP_PORTS: `${ports.from}-${ports.to}` }
  ;[service, echo] = await Promise.all([startStandaloneService({ env: settings }), startEcho()])
  agent = await startAgent(service, range(3), { home })
})
afterAll(async () => {
  await agent?.stop()
  await Promise.all([service?.stop(), echo?.close()])
  for (const folder of [home, elsewhere]) rmSync(folder, { recursive: true, force: true })
})

function replaceFile(tunnels: object): void {
  const path = join(home, 'ptun.yaml')
  writeFileSync(`${path}.new`, JSON.stringify({ version: 1, tunnels }))
  renameSync(`${path}.new`, path)
}

async function speaks(port: number): Promise<string> {
  const visitor = await dial({ host: '127.0.0.1', port })
  const back = readBytes(visitor, 5)
  visitor.write('hello')
  const said = String(await within(back, `the echo at ${port}`))
  visitor.destroy()
  return said
}

async function status(...options: readonly string[]): Promise<string> {
  const env = { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: service.key }
  const { stdout } = await runProgram('node', [ptun, 'status', ...options], { env })
  return stdout.slice(0, stdout.indexOf('In your account'))
}

test('every port of a range serves, and ptun status has one line for it', async () => {
  const urls = await online(names(0, 2))
  expect(urls.map((url) => Number(new URL(url).port))).toEqual([first, first + 1, first + 2])
  expect(await Promise.all([0, 1, 2].map((n) => speaks(first + n)))).toEqual(['hello', 'hello', 'hello'])
  const said = await status()
  expect(said).toMatch(new RegExp(`data +3 Healthy +tcp://\\S+:${first}-${first + 2} +-> +localhost:`))
  expect(said).not.toContain(`data-${first}`)
  expect(await status('--verbose')).toContain(`data-${first + 1}`)
})

test('a longer range adds its tunnels, and visitors of the earlier ports stay', async () => {
  const visitor = await dial({ host: '127.0.0.1', port: first })
  const from = agent.events.items.length
  replaceFile(range(7))
  expect(await agent.waitFor('config.reloaded', { from })).toMatchObject({ added: names(3, 6), removed: [] })
  await online(names(3, 6), from)
  expect(await speaks(first + 6)).toBe('hello')
  const back = readBytes(visitor, 5)
  visitor.write('still')
  expect(String(await back)).toBe('still')
  visitor.destroy()
})

test('a shorter one ends the tunnels that it no longer has, and no others', async () => {
  const from = agent.events.items.length
  replaceFile(range(2))
  expect(await agent.waitFor('config.reloaded', { from })).toMatchObject({ added: [], removed: names(2, 6) })
  await eventually('the port is closed', () =>
    dial({ host: '127.0.0.1', port: first + 2 }).then(
      (socket) => void socket.destroy(),
      () => true,
    ),
  )
  expect(await Promise.all([0, 1].map((n) => speaks(first + n)))).toEqual(['hello', 'hello'])
  expect(agent.events.items.slice(from).filter(({ event }) => event === 'tunnel.offline')).toEqual([])
})

test('one that is refused as a whole is reported once', async () => {
  const env = { ...privateFolders(elsewhere), PTUN_SERVER: service.api, PTUN_KEY: service.key }
  const args = [ptun, 'tcp', String(echo.port), '--port', '40000-40010', '--name', 'outside']
  const { stdout, exit } = await runProgram('node', args, { env })
  expect(exit.code).toBe(2)
  const lines = stdout.split('\n').filter((line) => line.includes('PT-2303'))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('outside-40000 to outside-40010')
})

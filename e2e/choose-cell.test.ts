/**
 * Which cell a tunnel of `ptun` goes to, with the real program and API. One of two cells has a relay at an address
 * where nothing answers (TEST-NET-1, RFC 5737); it would be chosen because it is empty.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { makeTestApi, type TestApi } from '@porttunneler/standalone/testing/api'
import { listen } from '@porttunneler/standalone/web-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import { openCell } from './harness/cells.ts'
import { runProgram } from './harness/programs.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

const host = '127.0.0.1'
const closers: (() => unknown)[] = []
const homes: string[] = []
let t: TestApi
let far: { readonly api: string; readonly key: string }
let web: HttpUpstream

beforeAll(async () => {
  t = await makeTestApi()
  closers.push(() => t.close())
  await openCell(t, 'south', 2, closers)
  const { port, close } = await listen((request, env) => t.app.fetch(request, env), {
    host,
    port: 0,
    clock: systemClock,
  })
  closers.push(() => close(0))
  far = { api: `http://${host}:${port}`, key: t.tunnelsKey }
  web = await startHttp()
})
afterAll(async () => {
  await web?.close()
  for (const close of closers.reverse()) await close()
  for (const home of homes) rmSync(home, { recursive: true, force: true })
})

function newHome(): string {
  const home = agentHome()
  homes.push(home)
  return home
}

test('a new tunnel goes to the nearest cell, which is kept, and comes back there without measuring again', async () => {
  const home = newHome()
  const agent = await startAgent(far, { near: { kind: 'http', upstream: web.port } }, { home })
  expect(await agent.online('near')).toBe('http://near.south.test')
  await agent.stop()
  const kept = join(home, 'state', 'porttunneler', 'cells.json')
  expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({ server: far.api, near: ['south'] })
  rmSync(kept)
  const again = await startAgent(far, { near: { kind: 'http', upstream: web.port } }, { home })
  expect(await again.online('near')).toBe('http://near.south.test')
  await again.stop()
  expect(() => readFileSync(kept)).toThrow('ENOENT')
})

test('a cell that ptun.yaml names is used', async () => {
  const agent = await startAgent(
    far,
    { named: { kind: 'http', upstream: web.port } },
    { home: newHome(), cell: 'south' },
  )
  expect(await agent.online('named')).toBe('http://named.south.test')
  await agent.stop()
})

test('an unknown cell is refused with the known ones', async () => {
  const env = { ...privateFolders(newHome()), PTUN_SERVER: far.api, PTUN_KEY: far.key }
  const args = [ptun, 'http', String(web.port), '--name', 'lost', '--cell', 'nowhere']
  const { exit, stdout } = await runProgram('node', args, { env })
  expect(exit.code).toBe(2)
  expect(stdout).toContain('PT-2309 There is no cell "nowhere". Open: home, south.')
})

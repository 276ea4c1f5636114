import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { type DataFolder, openDataFolder } from './data-folder.ts'

let folder: DataFolder
beforeEach(() => {
  folder = openDataFolder(mkdtempSync(join(tmpdir(), 'pt-control-')))
})
afterEach(() => {
  folder.close()
  rmSync(folder.path, { recursive: true, force: true })
})

const open = (isOpen: boolean): ControlPlane =>
  openControlPlane({
    folder,
    consoleUrl: 'http://localhost:8400',
    proxies: [],
    registration: isOpen ? 'open' : 'closed',
    plan: 'free',
    version: '0.0.0',
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  })

const env = { incoming: { socket: { remoteAddress: '127.0.0.1' } } }
async function register(control: ControlPlane, email: string) {
  const answer = await control.fetch(
    new Request('http://localhost:8400/v1/auth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email }),
    }),
    env,
  )
  return { status: answer.status, body: await answer.text() }
}

test('control plane: strangers make accounts only where registration is open', async () => {
  const closed = open(false)
  expect(await register(closed, 'ada@example.com')).toEqual({
    status: 403,
    body: expect.stringContaining('PT-1009'),
  })
  await closed.close()
  const opened = open(true)
  expect(await register(opened, 'ada@example.com')).toEqual({ status: 202, body: '' })
  await opened.close()
})

test('control plane: it serves the API’s description, and the config says whether registration is open', async () => {
  const control = open(false)
  const read = async (path: string) =>
    (await control.fetch(new Request(`http://localhost${path}`), env)).json()
  expect(await read('/v1/openapi.json')).toMatchObject({
    openapi: '3.1.0',
    components: { schemas: { Problem: { type: 'object', required: ['type', 'title', 'status', 'code'] } } },
  })
  expect(await read('/v1/config')).toMatchObject({ identity: 'local', registration: false })
  await control.close()
})

test('control plane: the next run finds what the last one stored', async () => {
  const first = open(false)
  const account = await first.ensureFirstAccount('admin@porttunneler.localhost')
  const key = await first.demoKey()
  await first.close()
  const second = open(false)
  expect(account).toBeDefined()
  expect(await second.ensureFirstAccount('admin@porttunneler.localhost')).toBeUndefined()
  expect((await second.demoKey()).reveal()).toBe(key.reveal())
  await second.close()
})

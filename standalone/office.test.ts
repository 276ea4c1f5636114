import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { silentLog } from '@porttunneler/shared/base/log'
import type { ActName } from '@porttunneler/shared/control/operator/acts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ControlPlane } from './control-plane.ts'
import { openDataFolder } from './data-folder.ts'
import { runOnFolder } from './office.ts'
import { openOfficeSocket, socketPath } from './office-socket.ts'
import { openPlane } from './testing/plane.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'pt-office-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const face = { host: 'localhost', domain: 'localhost', portFrom: 20_000, portTo: 20_003 } as const
const cell = { ...face, httpScheme: 'http', httpPort: 8480, tlsPort: 8443 } as const
const run = (act: ActName, input: object = {}) => runOnFolder(data, { act, input, operator: 'grace' })

/** The parts of a server that ptunctl uses. */
async function startServer(): Promise<{ plane: ControlPlane; stop(): Promise<void> }> {
  const folder = openDataFolder(data)
  const plane = openPlane(folder)
  await plane.ensureCell(cell)
  const close = await openOfficeSocket(plane.office, { folder, log: silentLog })
  const stop = async () => {
    await close()
    await plane.close()
    folder.close()
  }
  return { plane, stop }
}

test('office: the same acts work through a running server and on the folder of a stopped one', async () => {
  const server = await startServer()
  expect(statSync(join(data, 'ptunctl.sock')).mode & 0o777).toBe(0o600)
  await run('cells.create', { id: 'two', ...cell })
  // The server knows at once: its own view is not older than the act.
  expect(await server.plane.office.control.cells.openIds()).toEqual(['home', 'two'])
  await expect(run('cells.close', { id: 'three' })).rejects.toMatchObject({ key: 'operator.missing' })
  await server.stop()
  await run('cells.close', { id: 'two' })
  expect(await run('cells.list')).toMatchObject([{ id: 'home' }, { id: 'two', state: 'closed' }])
})

test('office: the socket that a killed server leaves is no problem', async () => {
  await (await startServer()).stop()
  writeFileSync(join(data, 'ptunctl.sock'), '')
  const server = await startServer()
  expect(await run('cells.list')).toHaveLength(1)
  await server.stop()
})

test('office: a folder without a server in it, and a server without a socket, are told apart', async () => {
  await expect(run('cells.list')).rejects.toMatchObject({ key: 'operator.nowhere' })
  const server = await startServer()
  rmSync(join(data, 'ptunctl.sock'))
  await expect(run('cells.list')).rejects.toMatchObject({ key: 'operator.unreachable' })
  await server.stop()
})

test('office: an invalid order is refused, and the next one is served', async () => {
  const server = await startServer()
  const say = async (words: string) => {
    const socket = connect({ path: socketPath(data), allowHalfOpen: true })
    socket.on('error', () => {})
    socket.end(words)
    return text(socket).catch(() => '')
  }
  expect(await say('{')).toContain('PT-5301')
  expect(await say('x'.repeat(100_000))).toBe('')
  expect(await run('cells.list')).toHaveLength(1)
  await server.stop()
})

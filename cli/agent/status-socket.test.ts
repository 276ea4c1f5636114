import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AgentSnapshot } from './events.ts'
import { readStatuses, serveStatus } from './status-socket.ts'

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'ptun-')), 'run')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function snapshot(pid: number): AgentSnapshot {
  return { pid, agent: 'agt', server: 'http://x', startedAt: pid, state: 'running', tunnels: [], relays: [] }
}

describe('status socket', () => {
  test('running agents answer with their present state, in the order of their start', async () => {
    let startedAt = 2
    const one = await serveStatus(folder, { pid: 7, snapshot: () => ({ ...snapshot(7), startedAt }) })
    const two = await serveStatus(folder, { pid: 8, snapshot: () => snapshot(8) })
    expect((await readStatuses(folder, systemClock)).map(({ pid }) => pid)).toEqual([7, 8])
    startedAt = 9
    expect((await readStatuses(folder, systemClock)).map(({ pid }) => pid)).toEqual([8, 7])
    await one.close()
    expect((await readStatuses(folder, systemClock)).map(({ pid }) => pid)).toEqual([8])
    await two.close()
    expect(await readdir(folder)).toEqual([])
  })

  test('only its user can enter the folder', async () => {
    const socket = await serveStatus(folder, { pid: 7, snapshot: () => snapshot(7) })
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    await socket.close()
  })

  test.skipIf(process.platform === 'win32')('a folder that others could enter is closed first', async () => {
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
    const socket = await serveStatus(folder, { pid: 7, snapshot: () => snapshot(7) })
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, '7.sock'))).mode & 0o077).toBe(0)
    await socket.close()
  })

  test('a killed agent’s socket counts as no agent, and does not stop its successor', async () => {
    const first = await serveStatus(folder, { pid: 7, snapshot: () => snapshot(7) })
    await first.close()
    await writeFile(join(folder, '7.sock'), '')
    expect(await readStatuses(folder, systemClock)).toEqual([])
    const next = await serveStatus(folder, { pid: 7, snapshot: () => snapshot(7) })
    expect(await readStatuses(folder, systemClock)).toHaveLength(1)
    await next.close()
  })

  test('an answer that is not a snapshot counts as no agent', async () => {
    const keeper = await serveStatus(folder, { pid: 7, snapshot: () => snapshot(7) })
    const stranger = createServer((socket) => socket.on('error', () => undefined).end('hello')).listen(
      join(folder, '9.sock'),
    )
    expect((await readStatuses(folder, systemClock)).map(({ pid }) => pid)).toEqual([7])
    await new Promise((resolve) => stranger.close(resolve))
    await keeper.close()
  })

  test('no folder means no agents', async () => {
    expect(await readStatuses(join(folder, 'none'), systemClock)).toEqual([])
  })
})

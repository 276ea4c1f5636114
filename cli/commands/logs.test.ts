/** `ptun logs` follows agents through their sockets, and costs an agent nothing when it does not read. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { EventSocket } from '../agent/event-socket.ts'
import { main } from '../main.ts'

const root = mkdtempSync(join(tmpdir(), 'ptun-logs-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let runtime: string
let folder: string
beforeEach(() => {
  runtime = mkdtempSync(join(root, 'run-'))
  folder = join(runtime, 'porttunneler')
})

async function run(args: readonly string[], onText: (all: string) => void = () => {}) {
  const written = { stdout: '', stderr: '' }
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
      onText(written.stdout)
    },
  })
  const env = { HOME: root, XDG_RUNTIME_DIR: runtime }
  return { exit: await main(args, { stdout: to('stdout'), stderr: to('stderr'), env }), ...written }
}

const online = (tunnel: string) =>
  ({
    event: 'tunnel.online',
    tunnel,
    kind: 'http',
    url: `http://${tunnel}.test`,
    upstream: 'localhost:1',
  }) as const
const visit = { event: 'connection.opened', tunnel: 'web', visitor: '192.0.2.1:5', connectMs: 1 } as const

test('tells what happened before and what happens now, and ends with the agent', async () => {
  const socket = new EventSocket(systemClock)
  socket.take(online('web'))
  await socket.listen(folder, 1)
  let isOver = false
  const { exit, stdout } = await run(['logs'], (all) => {
    if (isOver || !all.includes('web is online')) return
    isOver = true
    socket.take(visit)
    socket.take(online('api'))
    void socket.close()
  })
  expect(exit).toBe(0)
  const lines = stdout.trim().split('\n')
  expect(lines.map((line) => line.replace(/^\S+Z /, ''))).toEqual([
    'web is online: http://web.test -> localhost:1',
    'api is online: http://api.test -> localhost:1',
  ])
})

test('--no-follow ends with what is kept, a name leaves out other tunnels, --json has whole events', async () => {
  const socket = new EventSocket(systemClock)
  await socket.listen(folder, 1)
  for (const name of ['web', 'api']) socket.take(online(name))
  const { stdout } = await run(['logs', 'api', '--no-follow', '--json'])
  expect(JSON.parse(stdout)).toEqual({ ...online('api'), at: expect.stringMatching(/Z$/) })
  await socket.close()
})

test('without an agent it says so, and a leftover of a killed one is removed', async () => {
  const { exit, stderr } = await run(['logs'])
  expect(exit).toBe(1)
  expect(stderr).toMatch(/^PT-6088/)
})

test('as many events are kept as a window shows, and single connections are not among them', async () => {
  const socket = new EventSocket(systemClock)
  for (let n = 0; n < 1_000; n += 1) {
    socket.take(online(`t${n}`))
    socket.take(visit)
  }
  await socket.listen(folder, 1)
  const { stdout } = await run(['logs', '--no-follow', '--verbose'])
  const lines = stdout.trim().split('\n')
  expect(lines).toHaveLength(200)
  expect(lines.at(-1)).toContain('t999 is online')
  await socket.close()
})

test('a reader that does not read is cut off, and the agent ends without it', async () => {
  const socket = new EventSocket(systemClock)
  await socket.listen(folder, 1)
  const reader = connect(join(folder, '1.events')).on('error', () => {})
  await once(reader, 'connect')
  reader.pause()
  const long = { ...online('web'), url: `http://${'x'.repeat(10_000)}.test` }
  const closed = once(reader, 'close')
  // The socket of the agent sees the connection with the next turn of the loop.
  for (let n = 0; n < 2_000; n += 1) {
    socket.take(long)
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  reader.resume()
  await closed
  await socket.close()
})

test('a file that is no socket in the folder harms nothing', async () => {
  const socket = new EventSocket(systemClock)
  await socket.listen(folder, 1)
  writeFileSync(join(folder, '2.events'), 'x')
  socket.take(online('web'))
  expect((await run(['logs', '--no-follow'])).stdout).toContain('web is online')
  await socket.close()
})

/** `ptun open` finds the address of a tunnel, first at the agents of this machine. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { AgentSnapshot } from '../agent/events.ts'
import { serveStatus } from '../agent/status-socket.ts'
import { pageOf } from '../browser.ts'
import { main } from '../main.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-open-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(args: readonly string[]) {
  const written = { stdout: '', stderr: '' }
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const env = { HOME: folder, XDG_RUNTIME_DIR: folder, PTUN_SERVER: 'http://127.0.0.1:9' }
  return { exit: await main(args, { stdout: to('stdout'), stderr: to('stderr'), env }), ...written }
}

const tunnel = (name: string, url: string) => ({ name, kind: 'http', state: 'online', url })
const snapshot = {
  pid: 1,
  startedAt: 0,
  server: 'http://127.0.0.1:9',
  tunnels: [tunnel('web', 'http://web.example.test'), tunnel('db', 'tcp://relay.example.test:20100')],
} as unknown as AgentSnapshot

test('the address of a tunnel of this machine is found without the server', async () => {
  const socket = await serveStatus(join(folder, 'porttunneler'), { pid: 1, snapshot: () => snapshot })
  const found = await run(['open', 'web'])
  const refused = await run(['open', 'db'])
  const json = await run(['open', 'web', '--json'])
  await socket.close()
  expect(found).toMatchObject({ exit: 0, stdout: 'http://web.example.test\n' })
  expect(refused.exit).toBe(2)
  expect(refused.stderr).toMatch(/^PT-6083 [\s\S]*tcp:\/\/relay\.example\.test:20100/)
  expect(JSON.parse(json.stdout)).toEqual({
    event: 'tunnel.opened',
    tunnel: 'web',
    url: 'http://web.example.test/',
    browser: false,
  })
})

test('the server is asked for others, as the person who is signed in', async () => {
  const { exit, stderr } = await run(['open', 'web'])
  expect({ exit, code: stderr.slice(0, 7) }).toEqual({ exit: 3, code: 'PT-6020' })
})

test.each(['ms-msdt:/id', '\\\\host\\share', 'file:///etc/passwd', 'javascript:alert(1)', 'tcp://x:1', ''])(
  'the opener never gets %s',
  (url) => expect(pageOf(url)).toBeUndefined(),
)

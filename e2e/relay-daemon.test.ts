import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RelayPlane, startRelayPlane, writeRelayConfig } from './harness/relay-daemon.ts'

const main = fileURLToPath(new URL('../relay-vm/main.ts', import.meta.url))
let plane: RelayPlane
let folder: string
let child: ChildProcess | undefined

beforeEach(async () => {
  plane = await startRelayPlane()
  folder = await mkdtemp(join(tmpdir(), 'ptun-main-'))
})
afterEach(async () => {
  child?.kill('SIGKILL')
  plane.close()
  await rm(folder, { recursive: true })
})

async function start(key: string, changes: Record<string, unknown> = {}): Promise<ChildProcess> {
  child = fork(main, [writeRelayConfig(plane, folder, changes)], {
    env: { ...process.env, PTUN_ENROLMENT_KEY: key },
    execArgv: [],
    silent: true,
  })
  return child
}

describe('relay daemon', () => {
  test('enrols over HTTP, reports the ports to its parent, drains at SIGTERM and exits 0', async () => {
    const relay = await start('pte_test')
    const [message] = await once(relay, 'message')
    expect(message).toEqual({
      ready: { tlsPort: expect.any(Number), httpPort: expect.any(Number), adminPort: expect.any(Number) },
    })
    const url = `http://127.0.0.1:${message.ready.adminPort}/readyz`
    expect((await fetch(url)).status).toBe(200)
    relay.kill('SIGTERM')
    expect(await once(relay, 'exit')).toEqual([0, null])
    expect(plane.control.requests.at(-1)?.state).toBe('draining')
  })

  test('when its parent vanishes it ends in good order', async () => {
    const relay = await start('pte_test')
    await once(relay, 'message')
    const exited = once(relay, 'exit')
    relay.disconnect()
    expect(await exited).toEqual([0, null])
  })

  test.each([
    ['a wrong field', 'pte_test', { colour: 1 }, 2, 'PT-5001'],
    ['a refused key', 'pte_wrong', {}, 3, 'PT-5005'],
  ])(
    '%s ends the start with its exit code and a line with the cure',
    async (_title, key, changes, exit, code) => {
      const relay = await start(key, changes)
      let output = ''
      relay.stdout?.on('data', (chunk) => {
        output += String(chunk)
      })
      expect(await once(relay, 'close')).toEqual([exit, null])
      const line = JSON.parse(output.trim().split('\n').at(-1) ?? '')
      expect(line).toMatchObject({ code, cure: expect.any(String) })
      expect(output).not.toContain(key)
    },
  )
})

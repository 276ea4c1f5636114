import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTestControl, type TestControl } from '@porttunneler/relay-vm/testing/test-control'
import { agentSni, ownName } from '@porttunneler/relay-vm/testing/test-relay'
import { Secret } from '@porttunneler/shared/base/secret'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const main = fileURLToPath(new URL('../relay-vm/main.ts', import.meta.url))
let control: TestControl
let server: Server
let dataDir: string
let child: ChildProcess | undefined

beforeEach(async () => {
  control = await makeTestControl()
  dataDir = await mkdtemp(join(tmpdir(), 'ptun-main-'))
  server = serve(control).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  child?.kill('SIGKILL')
  server.closeAllConnections()
  server.close()
  await rm(dataDir, { recursive: true })
})

/** The control plane's two calls over HTTP. */
function serve(plane: TestControl): Server {
  return createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const body = JSON.parse(text)
    const { signal } = new AbortController()
    try {
      const answer =
        request.url === '/v1/relays/enrol'
          ? await plane.enrol({ key: new Secret(body.key), name: body.name }, signal)
          : await plane.sync(body, new Secret(request.headers.authorization?.slice(7) ?? ''), signal)
      response.end(JSON.stringify(answer))
    } catch {
      response.writeHead(401).end()
    }
  })
}

async function start(key: string, changes: Record<string, unknown> = {}): Promise<ChildProcess> {
  const host = '127.0.0.1'
  const config = {
    instance: 'r1',
    dataDir: join(dataDir, 'relay'),
    controlUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    listen: { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host },
    public: { agentHost: host, agentSni, names: [ownName] },
    ...changes,
  }
  await writeFile(join(dataDir, 'relay.json'), JSON.stringify(config))
  child = fork(main, [join(dataDir, 'relay.json')], {
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
    expect(control.requests.at(-1)?.state).toBe('draining')
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

/**
 * The standalone server over its life: first start, second start, a stop with open connections, and the errors that
 * prevent a start.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breadthOf } from './breadth.ts'
import { agentHome, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { visit } from './harness/http.ts'
import { childrenOf, runProgram, startProgram } from './harness/programs.ts'
import { callApi, type Service } from './harness/service.ts'
import { dial, listenTcp, readBytes, readToEnd } from './harness/sockets.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { startHttp } from './harness/upstreams.ts'

const local = (port: string | number) => ({ host: '127.0.0.1', port: Number(port) })

describe('standalone server', () => {
  let folder: string
  let env: Readonly<Record<string, string>>
  let first: Standalone
  beforeAll(async () => {
    folder = temporaryFolder('life')
    env = { ...(await freeSettings()), PORTTUNNELER_DEMO: 'true' }
    first = await startStandalone({ folder, env })
  })
  afterAll(async () => {
    await first?.program.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('the first start shows an account and a demo that works over HTTP and TCP', async () => {
    const { file, program } = first
    expect(statSync(join(folder, 'standalone.json')).mode & 0o777).toBe(0o600)
    expect(file.account?.password).toBeTruthy()
    const said = program.lines.items.map(({ text }) => text).join('\n')
    for (const part of [
      file.console,
      file.account?.email,
      file.account?.password,
      file.demo?.http,
      file.demo?.tcp,
    ])
      expect(said).toContain(part)
    const service = { addressOf: (_host: string, port: number) => local(port) } as Service
    const { status, body } = await visit(service, file.demo?.http ?? '')
    expect({ status, isPage: body.includes('<html') }).toEqual({ status: 200, isPage: true })
    const socket = await dial(local(file.demo?.tcp.split(':').at(-1) ?? 0))
    const echoed = readBytes(socket, 5)
    socket.write('hello')
    expect((await within(echoed, 'the echo')).toString()).toBe('hello')
    socket.destroy()
  })

  test('a second server on the same folder is refused with cause and cure, and harms nothing', async () => {
    const { exit, stderr } = await runProgram('node', ['standalone/main.ts'], {
      env: { ...(await freeSettings()), PORTTUNNELER_DATA: folder },
    })
    expect(exit.code).toBe(2)
    expect(stderr).toMatch(/PT-5\d{3}/)
    expect(stderr).toContain('Cure:')
    const { status } = await fetch(`${first.file.api}/v1/config`)
    expect(status).toBe(200)
  })

  test('SIGTERM lets connections finish, ends with 0, and the second start keeps everything', async () => {
    const { file, program } = first
    const account = file.account ?? { email: '', password: '' }
    const service = { api: new URL(file.api).origin, account }
    const key = await makeKey(service)
    const web = await startHttp()
    const home = agentHome()
    const agent = await startAgent(
      { ...service, key },
      { kept: { kind: 'http', upstream: web.port } },
      { home },
    )
    const url = await agent.online('kept')
    const from = agent.events.items.length

    const visitor = await dial(local(file.demo?.tcp.split(':').at(-1) ?? 0))
    const firstHalf = readBytes(visitor, 4)
    visitor.write('half')
    await within(firstHalf, 'the first half')
    program.send('SIGTERM')
    await program.lines.waitFor(({ text }) => text.includes('Stopping'), { what: 'the word that it stops' })
    const secondHalf = readToEnd(visitor)
    visitor.end('done')
    expect((await within(secondHalf, 'the second half')).toString()).toBe('done')
    expect(await within(program.exited, 'the server ends')).toEqual({ code: 0, signal: null })

    first = await startStandalone({ folder, env })
    expect(first.file.account).toBeUndefined()
    expect(first.file.demo).toEqual(file.demo)
    expect(await agent.online('kept', from)).toBe(url)
    expect(await callApi({ api: service.api, key }, 'GET', '/v1/me')).toBeTruthy()
    await makeKey(service)
    await agent.stop()
    await web.close()
  })

  test('a public address that this machine cannot reach costs the demo nothing', async () => {
    const folder = temporaryFolder('public')
    // TEST-NET-1 (RFC 5737): no machine has this address.
    const env = {
      ...(await freeSettings()),
      PORTTUNNELER_DEMO: 'true',
      PORTTUNNELER_CONSOLE_URL: 'http://192.0.2.1',
    }
    const program = await startProgram('node', ['standalone/main.ts'], {
      env: { ...env, PORTTUNNELER_DATA: folder },
    })
    const read = () => JSON.parse(readFileSync(join(folder, 'standalone.json'), 'utf8'))
    const said = await eventually('the server has started', read, 60_000)
    expect(said).toMatchObject({ console: 'http://192.0.2.1', demo: { http: expect.any(String) } })
    const service = { addressOf: (_host: string, port: number) => local(port) } as Service
    expect((await visit(service, said.demo.http)).status).toBe(200)
    await program.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a server that is killed leaves no process behind', async () => {
    const other = temporaryFolder('killed')
    const env = { ...(await freeSettings()), PORTTUNNELER_DEMO: 'true' }
    const { program } = await startStandalone({ folder: other, env })
    const children = childrenOf(program.pid).map(({ pid }) => pid)
    expect(children.length).toBeGreaterThan(0)
    await program.stop('SIGKILL')
    await eventually('its children have ended', () => children.every((pid) => !isAlive(pid)) || undefined)
    rmSync(other, { recursive: true, force: true })
  })
})

describe('standalone server: a start that fails', () => {
  const attempt = async (
    env: Readonly<Record<string, string>>,
    prepare: (folder: string) => void = () => {},
  ) => {
    const folder = temporaryFolder('bad')
    prepare(folder)
    try {
      return await runProgram('node', ['standalone/main.ts'], {
        env: { ...(await freeSettings()), PORTTUNNELER_DATA: folder, ...env },
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const cases: readonly {
    name: string
    env?: Record<string, string>
    prepare?: (folder: string) => void
    says: RegExp
  }[] = [
    { name: 'a port that is no port', env: { PORTTUNNELER_HTTP_PORT: '99999' }, says: /ports\.http/ },
    {
      name: 'a setting that nobody knows',
      prepare: (folder) => writeFileSync(join(folder, 'standalone.yaml'), 'prots:\n  http: 80\n'),
      says: /prots/,
    },
    {
      name: 'settings that are not YAML',
      prepare: (folder) => writeFileSync(join(folder, 'standalone.yaml'), 'bind: [\n'),
      says: /standalone\.yaml/,
    },
    {
      name: 'a file where the data folder belongs',
      env: { PORTTUNNELER_DATA: join(import.meta.dirname, '../package.json') },
      says: /something else is in the way/,
    },
    {
      name: 'a database that is none',
      prepare: (folder) => {
        mkdirSync(folder, { recursive: true })
        for (const name of databaseNames()) writeFileSync(join(folder, name), 'not a database'.repeat(500))
      },
      says: /database/i,
    },
  ]

  test.each(breadthOf(cases, cases.slice(-1)))(
    '$name is reported with code, cause and cure',
    async ({ env = {}, prepare, says }) => {
      const { exit, stderr } = await attempt(env, prepare)
      expect(exit.code).toBe(2)
      expect(stderr).toMatch(/PT-\d{4}/)
      expect(stderr).toMatch(says)
      expect(stderr).toContain('Cure:')
      expect(stderr).not.toMatch(/^\s+at /m)
    },
  )

  test('a taken port is reported with the port and the setting', async () => {
    const [port = 0] = await freePorts(1)
    const holder = await listenTcp(() => {}, port)
    const { exit, stderr } = await attempt({ PORTTUNNELER_CONSOLE_PORT: String(port) })
    await holder.close()
    expect(exit.code).toBe(2)
    expect(stderr).toMatch(/PT-5\d{3}/)
    expect(stderr).toContain(String(port))
  })
})

function isAlive(pid: number): boolean {
  try {
    // The third field: a zombie has ended and only waits for its parent.
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .charAt(0) !== 'Z'
    )
  } catch {
    return false
  }
}

function databaseNames(): readonly string[] {
  return ['store.db', 'porttunneler.db', 'data.db']
}

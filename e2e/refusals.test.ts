/**
 * The refusal table: what the system refuses, tried on a real server with its relay and a real agent. Each time open
 * connections go on, no process ends, and everything is as before when the system grants it again.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { longTest } from './breadth.ts'
import { type Agent, agentHome, ptun, startAgent } from './harness/agent.ts'
import { clockPreload } from './harness/clock-preload.ts'
import { eventually } from './harness/events.ts'
import { type Program, root, startProgram, textOf } from './harness/programs.ts'
import { type Address, dial, type Listening, readBytes } from './harness/sockets.ts'
import {
  freeSettings,
  makeKey,
  relayOf,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { startEcho } from './harness/upstreams.ts'
import { programs, refusals } from './refusals/table.ts'
import { fillUp, takeDescriptors } from './refusals/take-away.ts'
import { describeWith } from './requirements.ts'

/** Cells that another test covers. */
const heldBy: Readonly<Record<string, string>> = {
  'disk relay': 'e2e/refusals-relay.test.ts',
  'memory relay': 'e2e/refusals-alone.test.ts',
  'memory server': 'e2e/refusals-alone.test.ts',
  'output relay': 'e2e/refusals-relay.test.ts',
  'home relay': 'e2e/refusals-alone.test.ts',
  'home server': 'e2e/refusals-alone.test.ts',
  'state relay': 'e2e/refusals-relay.test.ts',
  'clock relay': 'e2e/refusals-relay.test.ts',
  'clock server': 'e2e/refusals-alone.test.ts',
}
const tried = new Set<string>()
/** A test of some cells of the table. */
const trial = (
  cells: readonly string[],
  name: string,
  body: () => Promise<void>,
  run: typeof longTest = test,
) => {
  for (const cell of cells) tried.add(cell)
  run(`refusals: ${cells.join(', ')}: ${name}`, body)
}

/** A user id that no passwd file has. */
const stranger = 54_321

describeWith(['prlimit', 'mounts'], 'refusals', () => {
  let server: Standalone
  let service: { readonly api: string; readonly key: string }
  let echo: Listening
  let agent: Agent
  let endpoint: Address
  const folder = temporaryFolder('refusals')

  beforeAll(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder])
    server = await startStandalone({
      folder: join(folder, 'data'),
      env: await freeSettings(),
    })
    const { account, api } = server.file
    if (!account) throw new Error('a first start shows its account')
    service = { api: new URL(api).origin, key: await makeKey({ api: new URL(api).origin, account }) }
    echo = await startEcho()
    agent = await startAgent(service, { echo: { kind: 'tcp', upstream: echo.port } })
    endpoint = addressOf(await agent.online('echo'))
  })

  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await echo?.close()
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })

  const relayPid = () => relayOf(server.program.pid) ?? Number.NaN
  const served = (at = endpoint) =>
    eventually('a new visitor is served', async () => echoOnce(await dial(at)))

  trial(['descriptors relay'], 'open connections go on, and all come in again', async () => {
    const pid = relayPid()
    const open = await dial(endpoint)
    await echoOnce(open)
    const { crowd: size, restore } = takeDescriptors(pid)
    const crowd = Array.from({ length: size }, () => silent(endpoint))
    await echoFor(open, guardMs)
    restore()
    for (const socket of crowd) socket.destroy()
    await echoOnce(open)
    await served()
    expect(relayPid()).toBe(pid)
    open.destroy()
  })

  trial(['descriptors agent'], 'a new visitor is refused with a reason, and the next is served', async () => {
    const open = await dial(endpoint)
    await echoOnce(open)
    const from = agent.events.items.length
    const { crowd: size, restore } = takeDescriptors(agent.program.pid)
    const crowd = Array.from({ length: size }, () => silent(endpoint))
    const { problem } = await agent.waitFor('upstream.failed', { from })
    expect(problem).toMatchObject({ code: 'PT-6044' })
    // Checking the machine's addresses takes a descriptor, twice a second.
    await echoFor(open, guardMs)
    restore()
    for (const socket of crowd) socket.destroy()
    await served()
    open.destroy()
  })

  trial(['descriptors server'], 'calls are refused, and then answered', async () => {
    const { crowd: size, restore } = takeDescriptors(server.program.pid)
    const crowd = Array.from({ length: size }, () => silent(addressOf(service.api)))
    await eventually('the server hangs up', () => crowd.some((socket) => socket.destroyed) || undefined)
    restore()
    for (const socket of crowd) socket.destroy()
    await eventually('the API answers', () => answers(`${service.api}/v1/config`))
    await served()
  })

  trial(['disk server'], 'tunnels and reads go on; losses are reported when there is room', async () => {
    const open = await dial(endpoint)
    const fill = join(folder, 'fill')
    fillUp(fill)
    await echoFor(open, guardMs)
    expect(await answers(`${service.api}/v1/config`)).toBe(true)
    rmSync(fill)
    await served()
    expect(existsSync(`/proc/${server.program.pid}`)).toBe(true)
    open.destroy()
  })

  trial(
    ['disk agent'],
    'an agent that cannot write says so, serves, and keeps its state when there is room',
    async () => {
      const small = temporaryFolder('small-disk')
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small])
      try {
        const fill = join(small, 'fill')
        fillUp(fill)
        const env = { XDG_STATE_HOME: small }
        const full = await startAgent(service, { full: { kind: 'tcp', upstream: echo.port } }, { env })
        await full.waitFor('state.lost')
        await served(addressOf(await full.online('full')))
        rmSync(fill)
        await full.waitFor('state.found')
        expect((await full.stop()).code).toBe(0)
      } finally {
        execFileSync('umount', ['-l', small])
        rmSync(small, { recursive: true, force: true })
      }
    },
    longTest,
  )

  trial(
    ['state server'],
    'a folder that it may not write to ends the start, with code and cure',
    async () => {
      const closed = temporaryFolder('closed')
      chmodSync(closed, 0o555)
      const env = {
        ...(await freeSettings()),
        PORTTUNNELER_DATA: join(closed, 'data'),
      }
      const refused = await startProgram('node', ['standalone/main.ts'], {
        env,
        uid: stranger,
        gid: stranger,
      })
      expect((await refused.exited).code).not.toBe(0)
      expect(textOf(refused, 'stderr') + textOf(refused, 'stdout')).toContain('PT-5105')
      rmSync(closed, { recursive: true })
    },
  )

  trial(
    ['output agent'],
    'neither a full output nor one without a reader ends an agent',
    async () => {
      const home = agentHome()
      const first = await startAgent(service, { deaf: { kind: 'tcp', upstream: echo.port } }, { home })
      const at = addressOf(await first.online('deaf'))
      await first.stop()
      const command = `exec node "${ptun}" start --config "${join(home, 'ptun.yaml')}" --json`
      for (const output of ['> /dev/full', '> >(head -1)', '>&-']) {
        const deaf = await startProgram('bash', ['-c', `${command} ${output}`], { env: environmentOf(home) })
        await served(at)
        await isAlive(deaf)
        expect((await deaf.stop()).signal).toBeNull()
      }
    },
    longTest,
  )

  trial(['output server'], 'a server whose output is full serves', async () => {
    const data = join(folder, 'deaf')
    const env = { ...(await freeSettings()), PORTTUNNELER_DATA: data }
    const command = 'exec node standalone/main.ts > /dev/full 2>&1'
    const deaf = await startProgram('bash', ['-c', command], { env, cwd: root })
    const api = await eventually('it is up', () => {
      const said = JSON.parse(readFileSync(join(data, 'standalone.json'), 'utf8'))
      return typeof said.api === 'string' ? said.api : undefined
    })
    await eventually('the API answers', () => answers(`${api}/v1/config`))
    expect((await deaf.stop()).code).toBe(0)
  })

  trial(
    ['memory agent'],
    'a crowd that its heap cannot hold ends no agent, and costs others nothing',
    async () => {
      const env = { NODE_OPTIONS: '--max-old-space-size=32' }
      const small = await startAgent(service, { small: { kind: 'tcp', upstream: echo.port } }, { env })
      const at = addressOf(await small.online('small'))
      const open = await dial(at)
      await echoOnce(open)
      // Without a limit the agent ended at about three thousand.
      const crowd: Socket[] = []
      for (let wave = 0; wave < 30; wave++) {
        const comers = Array.from({ length: 100 }, () => silent(at))
        crowd.push(...comers)
        await Promise.all(comers.map((socket) => socket.connecting && settled(socket)))
      }
      await eventually('some are turned away', () => crowd.some((socket) => socket.destroyed) || undefined)
      await echoOnce(open)
      await isAlive(small.program)
      for (const socket of crowd) socket.destroy()
      await served(at)
      open.destroy()
      expect((await small.stop()).code).toBe(0)
    },
    longTest,
  )

  trial(['home agent', 'state agent'], 'an agent that can save nothing says so, and serves', async () => {
    const readOnly = temporaryFolder('read-only')
    for (const env of [{}, { XDG_STATE_HOME: readOnly, XDG_RUNTIME_DIR: readOnly }]) {
      const config = join(readOnly, 'ptun.yaml')
      writeFileSync(
        config,
        JSON.stringify({ version: 1, tunnels: { lost: { kind: 'tcp', upstream: echo.port } } }),
      )
      chmodSync(readOnly, 0o555)
      const program = await startProgram('node', [ptun, 'start', '--config', config, '--json'], {
        cwd: '/',
        uid: stranger,
        gid: stranger,
        env: { ...homeless, PTUN_SERVER: service.api, PTUN_KEY: service.key, ...env },
      })
      const said = (event: string) =>
        program.lines.waitFor(({ text }) => text.includes(`"event":"${event}"`), { what: event })
      expect((await said('state.lost')).text).toContain('PT-6005')
      await said('tunnel.online')
      expect((await program.stop()).code).toBe(0)
      // The next agent is another one, so the first one's lease has to be free.
      await eventually('the tunnel is deleted', () => deleteTunnel('lost'))
    }
    rmSync(readOnly, { recursive: true, force: true })
  })

  trial(
    ['clock agent'],
    'a clock set back by a year delays nothing',
    async () => {
      const home = agentHome()
      const offset = join(home, 'offset')
      const preload = join(home, 'clock.mjs')
      writeFileSync(offset, '0')
      writeFileSync(preload, clockPreload(offset))
      const env = { NODE_OPTIONS: `--import file://${preload}` }
      const odd = await startAgent(service, { odd: { kind: 'tcp', upstream: echo.port } }, { home, env })
      const at = addressOf(await odd.online('odd'))
      for (const years of [-1, 20, -20]) {
        writeFileSync(offset, String(years * 365 * 86_400_000))
        const from = odd.events.items.length
        process.kill(relayPid(), 'SIGKILL')
        await odd.online('odd', from)
        await served(at)
      }
      expect((await odd.stop()).code).toBe(0)
    },
    longTest,
  )

  const environmentOf = (home: string) => ({
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_RUNTIME_DIR: join(home, 'run'),
    PTUN_SERVER: service.api,
    PTUN_KEY: service.key,
  })

  async function deleteTunnel(name: string): Promise<true | undefined> {
    const headers = { authorization: `Bearer ${service.key}` }
    const answer = await fetch(`${service.api}/v1/tunnels`, { headers })
    const id = tunnelsSchema.parse(await answer.json()).items.find((one) => one.name === name)?.id
    const deleted = await fetch(`${service.api}/v1/tunnels/${id}`, { method: 'DELETE', headers })
    return deleted.ok || undefined
  }
})

test('refusals: every cell is tried here or covered by an existing test, and the document shows the table', () => {
  for (const { name } of refusals)
    for (const program of programs) {
      const cell = `${name} ${program}`
      const file = heldBy[cell]
      const text =
        file !== undefined && existsSync(join(root, file)) && readFileSync(join(root, file), 'utf8')
      // A test of its own names its cells.
      const isHeld = text !== false && (!file?.startsWith('e2e/') || text.includes(cell))
      expect([cell, tried.has(cell) || isHeld]).toEqual([cell, true])
    }
  const rows = refusals.map(
    ({ what, relay, agent, server }) => `| ${what} | ${relay} | ${agent} | ${server} |`,
  )
  const document = readFileSync(join(root, 'docs/reliability.md'), 'utf8')
  for (const row of rows) expect(document).toContain(row)
})

const tunnelsSchema = z.object({ items: z.array(z.object({ id: z.string(), name: z.string() })) })

/** The time of two checks by the relay's guard, and of four checks of its network by the agent. */
const guardMs = 2_500
const homeless = {
  HOME: undefined,
  XDG_CONFIG_HOME: undefined,
  XDG_STATE_HOME: undefined,
  XDG_RUNTIME_DIR: undefined,
}

function addressOf(url: string): Address {
  const { hostname, port } = new URL(url)
  return { host: hostname === 'localhost' ? '127.0.0.1' : hostname, port: Number(port) }
}

async function echoOnce(socket: Socket): Promise<true> {
  const answer = readBytes(socket, 4)
  socket.write('ping')
  expect(String(await answer)).toBe('ping')
  return true
}

async function echoFor(socket: Socket, ms: number): Promise<void> {
  const endMs = systemClock.monotonic() + ms
  await eventually('the time is over', async () => {
    await echoOnce(socket)
    return systemClock.monotonic() > endMs || undefined
  })
}

/** Connects and sends nothing, whatever happens. */
function silent({ host, port }: Address): Socket {
  const socket = connect({ host, port })
  socket.on('error', () => undefined)
  socket.resume()
  return socket
}

function settled(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once('connect', resolve).once('close', () => resolve()))
}

async function answers(url: string): Promise<true | undefined> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  await answer.arrayBuffer()
  return answer.ok || undefined
}

async function isAlive(program: Program): Promise<void> {
  expect([existsSync(`/proc/${program.pid}`), textOf(program, 'stderr')]).toEqual([
    true,
    expect.not.stringContaining('Error:'),
  ])
}

/**
 * The cells of the refusal table (refusals/table.ts) that need a server of their own: one that runs as an unknown user
 * without a home, with a changed clock and no right to start processes, and one whose relay has a small heap.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isWhole, longTest } from './breadth.ts'
import { type Agent, startAgent } from './harness/agent.ts'
import { clockPreload } from './harness/clock-preload.ts'
import { eventually } from './harness/events.ts'
import { childrenOf } from './harness/programs.ts'
import { type Address, dial, type Listening, readBytes } from './harness/sockets.ts'
import {
  firstLogin,
  freeSettings,
  relayOf,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { startEcho } from './harness/upstreams.ts'
import { describeWith } from './requirements.ts'

/** A user id that no passwd file has. */
const stranger = 54_322
const year = 365 * 86_400_000

async function echoOnce(at: Address): Promise<true> {
  const socket = await dial(at)
  try {
    const answer = readBytes(socket, 4)
    socket.write('ping')
    expect(String(await answer)).toBe('ping')
    return true
  } finally {
    socket.destroy()
  }
}

function addressOf(url: string): Address {
  const { hostname, port } = new URL(url)
  return { host: hostname === 'localhost' ? '127.0.0.1' : hostname, port: Number(port) }
}

async function agentOf(server: Standalone, upstream: number, env: Readonly<Record<string, string>> = {}) {
  const { api, key } = await firstLogin(server)
  const agent = await startAgent({ api, key }, { echo: { kind: 'tcp', upstream } }, { env })
  return { agent, at: addressOf(await agent.online('echo')) }
}

describeWith(['prlimit'], 'refusals of a server with an unknown user', () => {
  const folder = temporaryFolder('nobody')
  const offset = join(folder, 'offset')
  let server: Standalone
  let echo: Listening
  let agent: Agent
  let at: Address

  beforeAll(async () => {
    const clock = join(folder, 'clock.mjs')
    writeFileSync(offset, '0')
    writeFileSync(clock, clockPreload(offset))
    chmodSync(folder, 0o755)
    chownSync(folder, stranger, stranger)
    server = await startStandalone({
      folder: join(folder, 'data'),
      entry: 'standalone/start.ts',
      uid: stranger,
      gid: stranger,
      env: {
        ...(await freeSettings()),
        HOME: undefined,
        XDG_CONFIG_HOME: undefined,
        XDG_STATE_HOME: undefined,
        NODE_OPTIONS: `--import file://${clock}`,
      },
    })
    echo = await startEcho()
    // It runs on the same machine, so its clock is wrong as well.
    ;({ agent, at } = await agentOf(server, echo.port, { NODE_OPTIONS: `--import file://${clock}` }))
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await echo?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const mainPid = () => childrenOf(server.program.pid)[0]?.pid ?? Number.NaN
  const served = () => eventually('a visitor is served', () => echoOnce(at).catch(() => undefined), 60_000)
  const answers = async () => (await fetch(new URL('/v1/config', server.file.api))).ok || undefined
  /** No process of this user may begin another process or a thread. */
  const takeProcesses = (pid: number) => {
    // As its own user: root of a container may not change another's limits.
    const user = { uid: stranger, gid: stranger }
    const set = (soft: string) => execFileSync('prlimit', ['--pid', String(pid), `--nproc=${soft}:`], user)
    set('1')
    return () => set('10000')
  }

  test('refusals: home relay, home server: neither needs a home or a user name', async () => {
    await served()
    expect(await answers()).toBe(true)
  })

  test('refusals: memory server: a relay that cannot be started is started when there is room', async () => {
    const relay = relayOf(mainPid()) ?? Number.NaN
    const main = mainPid()
    const restore = takeProcesses(main)
    process.kill(relay, 'SIGKILL')
    await eventually('the relay is gone', () => !existsSync(`/proc/${relay}`) || undefined)
    for (let calls = 0; calls < 50; calls++) expect(await answers()).toBe(true)
    restore()
    await served()
    expect(mainPid()).toBe(main)
  })

  longTest(
    'refusals: memory server: a newer version that cannot be started leaves the running one',
    async () => {
      const main = mainPid()
      const restore = takeProcesses(server.program.pid)
      const from = server.program.lines.items.length
      server.program.send('SIGUSR2')
      await server.program.lines.waitFor(({ text }) => /(could not be|did not) start/.test(text), {
        what: 'that it did not start',
        from,
      })
      restore()
      expect([mainPid(), await answers(), await served()]).toEqual([main, true, true])
      // The next one takes over: nothing is left of the first try.
      server.program.send('SIGUSR2')
      await eventually('another server runs', () => (mainPid() !== main ? true : undefined), 60_000)
      await served()
    },
  )

  longTest(
    'refusals: clock server: set by a year, forward and back, relays come back and visitors are served',
    async () => {
      // With a larger error OpenSSL, which asks the system, would find the relay's next certificate out of time.
      for (const years of [1, 0, -1, 0]) {
        writeFileSync(offset, String(years * year))
        const relay = relayOf(mainPid()) ?? Number.NaN
        process.kill(relay, 'SIGKILL')
        await eventually('another relay', () => (relayOf(mainPid()) ?? relay) !== relay || undefined, 60_000)
        await served()
        expect(await answers()).toBe(true)
      }
    },
  )
})

describe.runIf(isWhole)('refusals of a relay with a small heap', () => {
  const folder = temporaryFolder('small-heap')
  let server: Standalone
  let echo: Listening
  let agent: Agent
  let at: Address
  let metrics: string

  beforeAll(async () => {
    const settings = await freeSettings()
    metrics = `http://127.0.0.1:${settings.PORTTUNNELER_METRICS_PORT}/metrics`
    server = await startStandalone({
      folder,
      env: { ...settings, NODE_OPTIONS: '--max-old-space-size=36' },
    })
    echo = await startEcho()
    ;({ agent, at } = await agentOf(server, echo.port))
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await echo?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('refusals: memory relay: it sheds before the limit at which V8 would end it, and serves again', async () => {
    const pid = relayOf(server.program.pid)
    const isShort = async () => /^ptun_memory_short 1$/m.test(await (await fetch(metrics)).text())
    const crowd: Socket[] = []
    /** Is served once, and stays. */
    const comeIn = async () => {
      const socket = (await dial(at)).on('error', () => {})
      const answer = readBytes(socket, 4)
      socket.write('ping')
      await answer
      return socket
    }
    // More visitors than the heap could hold, if all were admitted.
    for (let hundred = 0; hundred < 80 && !(await isShort()); hundred++) {
      const more = Array.from({ length: 100 }, () => comeIn().catch(() => undefined))
      for (const socket of await Promise.all(more)) if (socket) crowd.push(socket)
    }
    expect(await isShort()).toBe(true)
    await eventually(
      'it has closed some',
      () => crowd.some(({ destroyed }) => destroyed) || undefined,
      60_000,
    )
    for (const socket of crowd) socket.destroy()
    await eventually('a visitor is served', () => echoOnce(at).catch(() => undefined), 60_000)
    expect(relayOf(server.program.pid)).toBe(pid)
  })
})

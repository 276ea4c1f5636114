/**
 * A server with one relay is replaced by a newer version from another folder, under load: nobody is refused and no
 * young stream is cut, and if a version does not start the previous one stays in charge.
 */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breadthOf, promisedMs } from './breadth.ts'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { fetchWhole, type Load, startLoad, startVisits } from './harness/load.ts'
import { childrenOf, root, textOf } from './harness/programs.ts'
import { makeSlowAnswer } from './harness/slow-answer.ts'
import { type Listening, listenTcp } from './harness/sockets.ts'
import {
  freeSettings,
  makeKey,
  relaysOf,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { startTlsUpstream, type TlsUpstream } from './harness/tls-upstream.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

const visitEveryMs = 10
/** Two versions, so that the second takes over from a server that took over itself. */
const newVersions = ['987.6.5', '987.6.6']
/** Passes the check that is made before anything is given up, and fails in the real start. */
const fatalRelay = "process.exit(process.argv.includes('--check') ? 0 : 2)\n"

describe('upgrade in place', () => {
  const releases = temporaryFolder('releases')
  const slow = makeSlowAnswer(6)
  let server: Standalone
  let agent: Agent
  let web: HttpUpstream
  let url: string
  let load: Load
  let newcomers: Load
  let demo: Load
  let vault: TlsUpstream
  let echo: Listening
  let sealed: ReturnType<typeof startVisits>
  let echoed: ReturnType<typeof startVisits>
  beforeAll(async () => {
    install(root)
    server = await startStandalone({
      folder: temporaryFolder('upgrade'),
      entry: join(releases, 'current/standalone/start.ts'),
      env: {
        ...(await freeSettings()),
        PORTTUNNELER_METRICS_PORT: '0',
        PORTTUNNELER_DEMO: 'true',
      },
    })
    const account = server.file.account ?? { email: '', password: '' }
    const service = { api: new URL(server.file.api).origin, account }
    web = await startHttp({ '/slow': slow.handler })
    vault = await startTlsUpstream('vault.localhost')
    echo = await listenTcp((socket) => socket.pipe(socket))
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      {
        web: { kind: 'http', upstream: web.port },
        vault: { kind: 'tls', upstream: vault.port },
        echo: { kind: 'tcp', upstream: echo.port },
      },
    )
    url = await agent.online('web')
    load = startLoad(new URL('/hello', url).href, 8, { pauseMs: 10, isKept: true })
    newcomers = startLoad(new URL('/hello', url).href, 2, { pauseMs: 20 })
    demo = startLoad(new URL('/headers', server.file.demo?.http).href, 1, { pauseMs: 20 })
    const { hostname: servername, port } = new URL(await agent.online('vault'))
    const ca = vault.identity.certificate
    const tls = { host: '127.0.0.1', port: Number(port), servername, ca }
    sealed = startVisits(() => echoes(connectTls(tls)), visitEveryMs)
    const echoPort = Number(new URL(await agent.online('echo')).port)
    echoed = startVisits(() => echoes(connect({ host: '127.0.0.1', port: echoPort })), visitEveryMs)
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await Promise.all([web?.close(), vault?.close(), echo?.close()])
    rmSync(releases, { recursive: true, force: true })
  })

  /** Points the link that the server was started by to this folder. */
  function install(folder: string): void {
    symlinkSync(folder, join(releases, 'next'))
    renameSync(join(releases, 'next'), join(releases, 'current'))
  }

  /** A version in a folder of its own, with `files` in place of its own ones. */
  function release(name: string, files: Readonly<Record<string, string>>): string {
    const folder = join(releases, name)
    mkdirSync(folder)
    for (const part of ['standalone', 'relay-vm'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    for (const part of ['node_modules', 'cli', 'web']) symlinkSync(join(root, part), join(folder, part))
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
    return folder
  }

  async function upgradeTo(folder: string, sentence: string): Promise<void> {
    install(folder)
    const from = server.program.lines.items.length
    server.program.send('SIGUSR2')
    await server.program.lines.waitFor(({ text }) => text.includes(sentence), {
      what: sentence,
      from,
      deadlineMs: 90_000,
    })
  }

  async function version(): Promise<string> {
    const answer = await fetch(new URL('/v1/config', server.file.api))
    return answer.ok ? ((await answer.json()) as { version: string }).version : `HTTP ${answer.status}`
  }

  const broken: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['cannot be loaded', { 'standalone/main.ts': "throw new Error('not built')\n" }],
    ['has a relay that does not start', { 'relay-vm/dist/relay.cjs': fatalRelay }],
  ]
  // The first one is below too.
  test.each(breadthOf(broken, broken.slice(1)))(
    'a version that %s is abandoned, and everything goes on as before',
    async (name, files) => {
      const before = await version()
      const sent = load.sent
      await upgradeTo(release(name, files), 'did not start; the one before it goes on')
      await eventually(
        'the API is back',
        async () => (await version().catch(() => undefined)) === before || undefined,
      )
      await eventually('its relay is alone', () => idsOf(server).length === 1 || undefined)
      await load.reached(sent + 500)
    },
  )

  test('who asks while a version is taking over is told so, and the newest one follows it', async () => {
    install(release('twice', { 'standalone/main.ts': "throw new Error('not built')\n" }))
    const from = server.program.lines.items.length
    const hears = (sentence: string, after: number) =>
      server.program.lines.waitFor(({ text }) => text.includes(sentence), { what: sentence, from: after })
    const abandoned = 'did not start; the one before it goes on'
    server.program.send('SIGUSR2')
    await hears('Starting the new version', from)
    server.program.send('SIGUSR2')
    await hears('still taking over', from)
    await hears(abandoned, from)
    const first = server.program.lines.items.findIndex(
      ({ text }, at) => at >= from && text.includes(abandoned),
    )
    await hears(abandoned, first + 1)
  })

  /** Lets a newer version take over while slow answers are on their way. @returns how long the API was away, ms */
  async function upgrade(newVersion: string): Promise<number> {
    const before = [...idsOf(server)]
    const text = readFileSync(join(root, 'standalone/package.json'), 'utf8')
    const manifest = { ...(JSON.parse(text) as object), version: newVersion }
    const folder = release(newVersion, { 'standalone/package.json': JSON.stringify(manifest) })
    const begunBefore = slow.begun
    const slowly = Array.from({ length: 8 }, () => fetchWhole(new URL('/slow', url).href))
    await eventually(
      'all slow answers have begun',
      () => slow.begun - begunBefore === slowly.length || undefined,
    )
    const api = watchApi(new URL('/v1/config', server.file.api))
    await upgradeTo(folder, `Version ${newVersion} serves now.`)
    const awayMs = await api.stop()
    expect(await Promise.all(slowly)).toEqual(slowly.map(() => slow.text))
    expect(await version()).toBe(newVersion)
    const relays = idsOf(server)
    expect(relays).toHaveLength(1)
    expect(relays.filter((pid) => before.includes(pid))).toEqual([])
    expect(JSON.parse(readFileSync(join(server.folder, 'standalone.json'), 'utf8'))).toMatchObject({
      pid: server.program.pid,
    })
    return awayMs
  }

  test('newer ones take over: no visitor is refused, no stream is cut', async () => {
    const already = load.sent
    let awayMs = 0
    for (const newVersion of newVersions) awayMs = Math.max(awayMs, await upgrade(newVersion))
    const during = load.sent - already
    const loads = await Promise.all([load, newcomers, demo, sealed, echoed].map((one) => one.stop()))
    const [kept, fresh, shown, tls, tcp] = loads.map(
      ({ sent, failures }) => `${sent}, ${failures.length} failed`,
    )
    process.stdout.write(
      `two upgrades: requests ${kept} (${during} of them during these); by newcomers ${fresh}; of the demo ${shown}; tls visitors ${tls}; tcp visitors ${tcp}; API away for ${Math.round(awayMs)} ms\n`,
    )
    const refused = loads.flatMap(({ failures }) => failures)
    expect(refused.filter((failure) => !isCrossing(failure))).toEqual([])
    expect(refused.length).toBeLessThanOrEqual(2)
    expect(awayMs).toBeLessThan(promisedMs(5_000))
  })

  test('the service ends with its first process, whichever version it runs', async () => {
    const exit = await server.program.stop()
    expect([exit, textOf(server.program, 'stderr')]).toMatchObject([{ code: 0 }, expect.any(String)])
  })
})

/** The relays of the server that serves, behind start.ts. */
function idsOf({ program }: Standalone): readonly number[] {
  return childrenOf(program.pid)
    .flatMap(({ pid }) => relaysOf(pid))
    .map(({ pid }) => pid)
}

/** Sends hello and reads it back; any relay process may get it, with the agent or without. */
async function echoes(socket: Socket): Promise<void> {
  socket.end('hello')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  if (text !== 'hello') throw new Error(`"${text}" came back`)
}

/** It came at the moment when a port closed: only the kernel could have passed it on (decision 0023). */
const isCrossing = (failure: string) => failure.includes('connect ECONNRESET')

/** Asks as often as the API allows one address. `stop` returns the longest time without an answer, ms. */
function watchApi(url: URL) {
  let isStopped = false
  let longestMs = 0
  const watch = async () => {
    let lastMs = systemClock.monotonic()
    while (!isStopped) {
      await sleep(systemClock, 20)
      const isThere = await fetch(url).then(
        async (answer) => answer.ok && (await answer.text()) !== '',
        () => false,
      )
      if (!isThere) continue
      const nowMs = systemClock.monotonic()
      longestMs = Math.max(longestMs, nowMs - lastMs)
      lastMs = nowMs
    }
  }
  const watching = watch()
  return {
    stop: async () => {
      isStopped = true
      await watching
      return longestMs
    },
  }
}

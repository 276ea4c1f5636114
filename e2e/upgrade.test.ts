/**
 * A server that runs is replaced by a newer version from another folder, under load: nobody is refused and no young
 * stream is cut, and a version that does not start leaves the one before it in charge.
 */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { fetchWhole, type Load, startLoad } from './harness/load.ts'
import { childrenOf, root, textOf } from './harness/programs.ts'
import { makeSlowAnswer } from './harness/slow-answer.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { startTlsUpstream, type TlsUpstream } from './harness/tls-upstream.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

const newVersion = '987.6.5'
/** Passes the check that is made before anything is given up, and fails in earnest. */
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
  let vault: TlsUpstream
  let sealed: ReturnType<typeof startSealed>
  beforeAll(async () => {
    install(root)
    server = await startStandalone({
      folder: temporaryFolder('upgrade'),
      entry: join(releases, 'current/standalone/start.ts'),
      env: {
        ...(await freeSettings()),
        PORTTUNNELER_RELAYS: '2',
        PORTTUNNELER_OWN_PORTS: '0',
        PORTTUNNELER_METRICS_PORT: '0',
      },
    })
    const account = server.file.account ?? { email: '', password: '' }
    const service = { api: new URL(server.file.api).origin, account }
    web = await startHttp({ '/slow': slow.handler })
    vault = await startTlsUpstream('vault.localhost')
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      { web: { kind: 'http', upstream: web.port }, vault: { kind: 'tls', upstream: vault.port } },
    )
    url = await agent.online('web')
    for (const relay of ['r1', 'r2'])
      await agent.events.waitFor((one) => one.event === 'relay.connected' && one.relay === relay, {
        what: `a session to ${relay}`,
      })
    load = startLoad(new URL('/hello', url).href, 8)
    newcomers = startLoad(new URL('/hello', url).href, 2, { pauseMs: 20 })
    sealed = startSealed(new URL(await agent.online('vault')), vault.identity.certificate)
  }, 90_000)
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await Promise.all([web?.close(), vault?.close()])
    rmSync(releases, { recursive: true, force: true })
  })

  /** The link that the server was started by leads there from now on. */
  function install(folder: string): void {
    symlinkSync(folder, join(releases, 'next'))
    renameSync(join(releases, 'next'), join(releases, 'current'))
  }

  /** A version in a folder of its own, with `files` in place of what this one has. */
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

  async function version(): Promise<string | undefined> {
    const answer = await fetch(new URL('/v1/config', server.file.api))
    return answer.ok ? ((await answer.json()) as { version: string }).version : undefined
  }

  test.each([
    ['cannot be loaded', { 'standalone/main.ts': "throw new Error('not built')\n" }],
    ['has relays that do not start', { 'relay-vm/main.ts': fatalRelay }],
  ])(
    'a version that %s is given up, and all goes on as before',
    { timeout: 100_000 },
    async (name, files) => {
      const before = await version()
      const sent = load.sent
      await upgradeTo(release(name, files), 'did not start; the one before it goes on')
      await eventually(
        'the API is back',
        async () => (await version().catch(() => undefined)) === before || undefined,
      )
      await eventually('both relays run', () => relaysOf(server).length === 2 || undefined)
      await load.reached(sent + 500)
    },
  )

  test('a newer one takes over: no visitor is refused, no stream is cut', { timeout: 120_000 }, async () => {
    const before = [...relaysOf(server)]
    const text = readFileSync(join(root, 'standalone/package.json'), 'utf8')
    const manifest = { ...(JSON.parse(text) as object), version: newVersion }
    const folder = release('newer', { 'standalone/package.json': JSON.stringify(manifest) })
    const slowly = Array.from({ length: 8 }, () => fetchWhole(new URL('/slow', url).href))
    await eventually('all slow answers have begun', () => slow.begun === slowly.length || undefined)
    const already = load.sent
    const api = watchApi(new URL('/v1/config', server.file.api))
    await upgradeTo(folder, `Version ${newVersion} serves now.`)
    const awayMs = await api.stop()
    const during = load.sent - already
    expect(await Promise.all(slowly)).toEqual(slowly.map(() => slow.text))
    expect(await version()).toBe(newVersion)
    const relays = relaysOf(server)
    expect(relays).toHaveLength(2)
    expect(relays.filter((pid) => before.includes(pid))).toEqual([])
    expect(JSON.parse(readFileSync(join(server.folder, 'standalone.json'), 'utf8'))).toMatchObject({
      pid: server.program.pid,
    })
    const [kept, fresh, tls] = await Promise.all([load.stop(), newcomers.stop(), sealed.stop()])
    process.stdout.write(
      `upgrade: ${kept.sent} requests, ${during} of them during it, ${kept.failures.length} failed; ` +
        `${fresh.sent} by newcomers, ${fresh.failures.length} failed; ${tls.sent} of the tls tunnel, ${tls.failures.length} failed; API away for ${Math.round(awayMs)} ms\n`,
    )
    const refused = [...kept.failures, ...fresh.failures, ...tls.failures]
    expect(refused.filter((failure) => !isCrossing(failure))).toEqual([])
    expect(refused.length).toBeLessThanOrEqual(2)
    expect(awayMs).toBeLessThan(5_000)
  })

  test('the service ends by its first process, whichever version it runs', { timeout: 60_000 }, async () => {
    const exit = await server.program.stop()
    expect([exit, textOf(server.program, 'stderr')]).toMatchObject([{ code: 0 }, expect.any(String)])
  })
})

/** Of the server that serves, behind start.ts. */
function relaysOf({ program }: Standalone): readonly number[] {
  return childrenOf(program.pid)
    .flatMap(({ pid }) => childrenOf(pid))
    .filter(({ command }) => command.includes('relay-vm/main.ts'))
    .map(({ pid }) => pid)
}

/** Visitors of a tls tunnel, one after the other: any relay process may get them, whether it has the agent or not. */
function startSealed({ hostname, port }: URL, ca: string) {
  const failures: string[] = []
  let sent = 0
  let isStopped = false
  const visit = async () => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: hostname, ca })
    socket.end('sealed')
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    if (text !== 'sealed') throw new Error(`"${text}" came back`)
  }
  const visiting = (async () => {
    while (!isStopped) {
      sent += 1
      await visit().catch((error: unknown) => failures.push(String(error)))
      await sleep(systemClock, 10)
    }
  })()
  return {
    stop: async () => {
      isStopped = true
      await visiting
      return { sent, failures }
    },
  }
}

/** Came in the instant when a port closed: only the kernel could have passed it on (decision 0023). */
const isCrossing = (failure: string) => failure.includes('connect ECONNRESET')

/** Asks without a pause. `stop` returns the longest time without an answer, ms. */
function watchApi(url: URL) {
  let isStopped = false
  let longestMs = 0
  const watch = async () => {
    let lastMs = systemClock.monotonic()
    while (!isStopped) {
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

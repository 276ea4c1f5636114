/**
 * Two relay processes restarted one after the other under load: no HTTP visitor notices, and no young stream is cut.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { fetchWhole, startLoad } from './harness/load.ts'
import { makeSlowAnswer } from './harness/slow-answer.ts'
import {
  freeSettings,
  makeKey,
  relaysOf,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

describe('rolling restart', () => {
  let server: Standalone
  let env: Readonly<Record<string, string>>
  let agent: Agent
  let web: HttpUpstream
  let url: string
  const slow = makeSlowAnswer()
  beforeAll(async () => {
    env = {
      ...(await freeSettings()),
      PORTTUNNELER_RELAYS: '2',
      PORTTUNNELER_OWN_PORTS: '0',
      PORTTUNNELER_METRICS_PORT: '0',
    }
    server = await startStandalone({ folder: temporaryFolder('rolling'), env })
    const account = server.file.account ?? { email: '', password: '' }
    const service = { api: new URL(server.file.api).origin, account }
    web = await startHttp({ '/slow': slow.handler })
    agent = await startAgent(
      { ...service, key: await makeKey(service) },
      {
        web: { kind: 'http', upstream: web.port },
      },
    )
    url = await agent.online('web')
    for (const relay of ['r1', 'r2'])
      await agent.events.waitFor((one) => one.event === 'relay.connected' && one.relay === relay, {
        what: `a session to ${relay}`,
      })
  })
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await web?.close()
  })

  test('no request is lost, and a stream goes on through it', async () => {
    const load = startLoad(new URL('/hello', url).href, 16, { pauseMs: 10, isKept: true })
    await load.reached(500)
    const before = idsOf(server)
    expect(before).toHaveLength(2)
    // Some of them meet the relay that has just started, before the agent is back at it.
    const newcomers = startLoad(new URL('/hello', url).href, 2, { pauseMs: 20 })
    const slowly = Array.from({ length: 8 }, () => fetchWhole(new URL('/slow', url).href))
    await eventually('all slow answers have begun', () => slow.begun === slowly.length || undefined)
    const already = load.sent
    server.program.send('SIGUSR2')
    await server.program.lines.waitFor(({ text }) => text.includes('relays are restarted'), {
      what: 'the end of the restart',
      deadlineMs: 90_000,
    })
    const during = load.sent - already
    expect(await Promise.all(slowly)).toEqual(slowly.map(() => slow.text))
    await load.reached(load.sent + 500)
    const { sent, failures } = await load.stop()
    const fresh = await newcomers.stop()
    expect(fresh.failures).toEqual([])
    process.stdout.write(
      `rolling restart: ${sent} requests, ${during} of them during it, ${failures.length} failed; ${fresh.sent} by newcomers, ${fresh.failures.length} failed\n`,
    )
    expect(failures).toEqual([])
    expect(idsOf(server).filter((pid) => before.includes(pid))).toEqual([])
  })

  test('a later start goes on with the folders of the last relays', async () => {
    const last = foldersOf(server)
    expect(last).toEqual(['relay-2-b', 'relay-b'])
    await server.program.stop()
    server = await startStandalone({ folder: server.folder, env })
    expect(foldersOf(server)).toEqual(last)
  })
})

function idsOf({ program }: Standalone): readonly number[] {
  return relaysOf(program.pid).map(({ pid }) => pid)
}

function foldersOf({ program }: Standalone): readonly string[] {
  return relaysOf(program.pid)
    .flatMap(({ command }) => /([^/]+)\/relay\.json/.exec(command)?.[1] ?? [])
    .toSorted()
}

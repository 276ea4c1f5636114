/** Two relay processes restarted in turn under load: nobody who speaks HTTP notices, and no young stream is cut. */
import { Agent as ConnectionPool, request } from 'node:http'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { childrenOf } from './harness/programs.ts'
import type { Address } from './harness/sockets.ts'
import {
  freeSettings,
  makeKey,
  type Standalone,
  startStandalone,
  temporaryFolder,
} from './harness/standalone.ts'
import { type Handler, type HttpUpstream, startHttp } from './harness/upstreams.ts'

const local = (url: string): Address => ({ host: '127.0.0.1', port: Number(new URL(url).port) })

describe('rolling restart', () => {
  let server: Standalone
  let agent: Agent
  let web: HttpUpstream
  let url: string
  beforeAll(async () => {
    const env = {
      ...(await freeSettings()),
      PORTTUNNELER_RELAYS: '2',
      PORTTUNNELER_OWN_PORTS: '0',
      PORTTUNNELER_METRICS_PORT: '0',
    }
    server = await startStandalone({ folder: temporaryFolder('rolling'), env })
    const account = server.file.account ?? { email: '', password: '' }
    const service = { api: new URL(server.file.api).origin, account }
    web = await startHttp({ '/slow': slowly })
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
  }, 90_000)
  afterAll(async () => {
    await agent?.stop()
    await server?.program.stop()
    await web?.close()
  })

  test('no request is lost, and a stream goes on through it', { timeout: 120_000 }, async () => {
    const load = startLoad(new URL('/hello', url).href, 16)
    await load.reached(500)
    const before = relaysOf(server)
    expect(before).toHaveLength(2)
    // Some of them meet the relay that has just started, before the agent is back at it.
    const newcomers = startLoad(new URL('/hello', url).href, 2, { pauseMs: 20 })
    const slow = Array.from({ length: 8 }, () => fetchWhole(new URL('/slow', url).href))
    await eventually('all slow answers have begun', () => begun() === slow.length || undefined)
    const already = load.sent
    server.program.send('SIGUSR2')
    await server.program.lines.waitFor(({ text }) => text.includes('relays are restarted'), {
      what: 'the end of the restart',
      deadlineMs: 90_000,
    })
    const during = load.sent - already
    expect(await Promise.all(slow)).toEqual(slow.map(() => slowText))
    await load.reached(load.sent + 500)
    const { sent, failures } = await load.stop()
    const fresh = await newcomers.stop()
    expect(fresh.failures).toEqual([])
    process.stdout.write(
      `rolling restart: ${sent} requests, ${during} of them during it, ${failures.length} failed; ${fresh.sent} by newcomers, ${fresh.failures.length} failed\n`,
    )
    expect(failures).toEqual([])
    expect(relaysOf(server).filter((pid) => before.includes(pid))).toEqual([])
  })
})

const slowText = 'tick\n'.repeat(8)
let slowBegun = 0
const begun = () => slowBegun

/** Pauses inside its answer for longer than any rule of quiet could mean. */
const slowly: Handler = (_request, response) => {
  slowBegun += 1
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
    response.write('tick\n')
    if (ticks < 8) return
    clearInterval(timer)
    response.end()
  }, 600)
  response.once('close', () => clearInterval(timer))
  response.flushHeaders()
}

function fetchWhole(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, pathname } = new URL(url)
    const outgoing = request({ ...local(url), path: pathname, headers: { host } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      answer.on('error', reject).once('end', () => resolve(text))
    })
    outgoing.once('error', reject).end()
  })
}

function relaysOf({ program }: Standalone): readonly number[] {
  return childrenOf(program.pid)
    .filter(({ command }) => command.includes('relay-vm/main.ts'))
    .map(({ pid }) => pid)
}

/**
 * Visitors with connections that are kept, or a new one after each pause, asking again when answered. No request is
 * tried twice.
 */
function startLoad(url: string, visitors: number, { pauseMs = 0 } = {}) {
  const keepAlive = pauseMs === 0
  const pool = new ConnectionPool({ keepAlive, maxSockets: visitors })
  const failures: string[] = []
  let sent = 0
  let isStopped = false
  let onSent = () => {}
  const visit = async () => {
    while (!isStopped) {
      sent += 1
      const problem = await ask(url, pool)
      if (problem !== undefined) failures.push(problem)
      onSent()
      if (pauseMs > 0) await sleep(systemClock, pauseMs)
    }
  }
  const running = Promise.all(Array.from({ length: visitors }, visit))
  return {
    get sent() {
      return sent
    },
    async reached(count: number) {
      while (sent < count)
        await new Promise<void>((resolve) => {
          onSent = resolve
        })
    },
    async stop() {
      isStopped = true
      await running
      pool.destroy()
      return { sent, failures }
    },
  }
}

/** @returns what went wrong, if anything did */
function ask(url: string, pool: ConnectionPool): Promise<string | undefined> {
  const asked = new Promise<string | undefined>((resolve) => {
    const { host, pathname } = new URL(url)
    const outgoing = request({ ...local(url), path: pathname, headers: { host }, agent: pool }, (answer) => {
      answer.on('error', (error) => resolve(error.message))
      answer
        .resume()
        .once('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode}`))
    })
    outgoing.once('error', (error) => resolve(`${error.message}, reused: ${outgoing.reusedSocket}`)).end()
  })
  return within(asked, `GET ${url}`, 30_000)
}

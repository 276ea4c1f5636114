/** One agent with 200 tunnels, in four claims, against a real server: they come up, serve, and come back. */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import { eventually } from './harness/events.ts'
import { visit } from './harness/http.ts'
import { runProgram } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'

const names = Array.from({ length: 200 }, (_, index) => `many-${index}`)

describe('200 tunnels of one agent', () => {
  let service: Service
  let web: HttpUpstream
  let agent: Agent
  let home: string

  beforeAll(async () => {
    ;[service, web] = await Promise.all([startStandaloneService(), startHttp()])
    home = agentHome()
    const tunnels = Object.fromEntries(
      names.map((name) => [name, { kind: 'http', upstream: web.port } as const]),
    )
    agent = await startAgent(service, tunnels, { home })
  })
  afterAll(async () => {
    await agent?.stop()
    await Promise.all([service?.stop(), web?.close()])
    rmSync(home, { recursive: true, force: true })
  })

  test('all come up, and the first and the last serve', async () => {
    const urls = await Promise.all(names.map((name) => agent.online(name)))
    expect(new Set(urls).size).toBe(200)
    for (const url of [urls[0], urls.at(-1)])
      await eventually(
        'a visitor gets in',
        async () => (await visit(service, `${url}/hello`)).status === 200 || undefined,
      )
  })

  test('ptun status shows every one', async () => {
    const env = { ...privateFolders(home), PTUN_SERVER: service.api, PTUN_KEY: service.key }
    const { stdout } = await runProgram('node', [ptun, 'status', '--json'], { env })
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
    const states = (lines.find(({ event }) => event === 'agent')?.tunnels ?? []) as { state: string }[]
    expect(states.filter(({ state }) => state === 'online')).toHaveLength(200)
    expect(
      lines.filter(({ event, name }) => event === 'tunnel' && String(name).startsWith('many-')),
    ).toHaveLength(200)
  })

  test('a killed relay serves all of them again', async () => {
    const from = agent.events.items.length
    await service.faults.killRelay()
    await Promise.all(names.map((name) => agent.online(name, from)))
  })
})

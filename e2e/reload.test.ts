/** A running `ptun start` follows its file: by checking it, and by SIGHUP. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, agentHome, startAgent } from './harness/agent.ts'
import { visit } from './harness/http.ts'
import type { Service } from './harness/service.ts'
import { dial, type Listening, readBytes } from './harness/sockets.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { type HttpUpstream, startEcho, startHttp } from './harness/upstreams.ts'

let service: Service
let agent: Agent
let home: string
let echo: Listening
let first: HttpUpstream
let second: HttpUpstream

beforeAll(async () => {
  ;[service, echo, first, second] = await Promise.all([
    startStandaloneService(),
    startEcho(),
    startHttp(),
    startHttp(),
  ])
  home = agentHome()
  agent = await startAgent(
    service,
    { wire: { kind: 'tcp', upstream: echo.port }, web: { kind: 'http', upstream: first.port } },
    { home },
  )
  await Promise.all([agent.online('wire'), agent.online('web')])
})
afterAll(async () => {
  await agent?.stop()
  await Promise.all([service?.stop(), echo?.close(), first?.close(), second?.close()])
  rmSync(home, { recursive: true, force: true })
})

/** As an editor does: a new file takes the name. */
function replaceFile(tunnels: object): void {
  const path = join(home, 'ptun.yaml')
  writeFileSync(`${path}.new`, JSON.stringify({ version: 1, tunnels }))
  renameSync(`${path}.new`, path)
}

const wire = () => ({ kind: 'tcp', upstream: echo.port })

test('a file that changes adds, removes and redirects, and touches nothing else', async () => {
  const { port } = new URL(await agent.online('wire'))
  const url = await agent.online('web')
  const visitor = await dial({ host: '127.0.0.1', port: Number(port) })
  const from = agent.events.items.length
  replaceFile({
    wire: wire(),
    web: { kind: 'http', upstream: second.port },
    more: { kind: 'http', upstream: first.port },
  })
  expect(await agent.waitFor('config.reloaded', { from })).toMatchObject({
    added: ['more'],
    removed: [],
    changed: ['web'],
  })
  await agent.online('more', from)
  expect((await visit(service, `${url}/hello`)).status).toBe(200)
  const back = readBytes(visitor, 5)
  visitor.write('still')
  expect(String(await back)).toBe('still')
  visitor.destroy()
  expect(agent.events.items.slice(from).filter(({ event }) => event === 'tunnel.offline')).toEqual([])
})

test('SIGHUP makes it read at once; an invalid file changes nothing', async () => {
  const from = agent.events.items.length
  replaceFile({ wire: wire(), web: { kind: 'http', upstraem: 1 } })
  agent.program.send('SIGHUP')
  expect(await agent.waitFor('config.refused', { from })).toMatchObject({ problem: { code: 'PT-6012' } })
  expect((await visit(service, `${await agent.online('web')}/hello`)).status).toBe(200)
  replaceFile({ wire: wire() })
  agent.program.send('SIGHUP')
  const reloaded = await agent.waitFor('config.reloaded', { from })
  expect([...(reloaded.removed as string[])].sort()).toEqual(['more', 'web'])
})

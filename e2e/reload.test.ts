/** A running `ptun start` follows its file: by checking it, and by SIGHUP. */
import { createHmac } from 'node:crypto'
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

const sign = (secret: string, text: string, coding: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(text).digest(coding)
/** As each service signs what it sends. */
const signers = {
  stripe: (secret: string, body: string, at: number) => ({
    'stripe-signature': `t=${at},v1=${sign(secret, `${at}.${body}`)}`,
  }),
  github: (secret: string, body: string) => ({ 'x-hub-signature-256': `sha256=${sign(secret, body)}` }),
  slack: (secret: string, body: string, at: number) => ({
    'x-slack-request-timestamp': String(at),
    'x-slack-signature': `v0=${sign(secret, `v0:${at}:${body}`)}`,
  }),
  hmac: (secret: string, body: string) => ({ 'x-signature': sign(secret, body, 'base64') }),
}
const kinds = Object.keys(signers) as (keyof typeof signers)[]

test('tunnels that take signed webhooks alone come with the file, and a new secret without another change', async () => {
  const secretFile = join(home, 'secret')
  writeFileSync(secretFile, 'first\n', { mode: 0o600 })
  const from = agent.events.items.length
  replaceFile(
    Object.fromEntries(
      kinds.map((verify, n) => [
        `hook-${n}`,
        { kind: 'http', upstream: first.port, webhooks: { verify, secretFile } },
      ]),
    ),
  )
  agent.program.send('SIGHUP')
  const urls = await Promise.all(kinds.map((_verify, n) => agent.online(`hook-${n}`, from)))
  const body = '{"type":"ping"}'
  const at = Math.floor(Date.now() / 1_000)
  const send = async (secret: string, sent = body) =>
    await Promise.all(
      kinds.map(async (verify, n) => {
        const headers = { ...signers[verify](secret, body, at), 'content-length': String(sent.length) }
        const answer = await visit(service, `${urls[n]}/echo`, { method: 'POST', body: sent, headers })
        return answer.status === 200 ? answer.body : `${answer.status} ${/PT-61\d\d/.exec(answer.body)}`
      }),
    )
  const before = first.requests.length
  expect(await send('first')).toEqual(kinds.map(() => body))
  expect(await send('first', '{"type":"pong"}')).toEqual(kinds.map(() => '401 PT-6101'))
  expect(await send('second')).toEqual(kinds.map(() => '401 PT-6101'))
  expect(first.requests.length).toBe(before + kinds.length)
  writeFileSync(secretFile, 'second\n', { mode: 0o600 })
  const now = agent.events.items.length
  agent.program.send('SIGHUP')
  await agent.waitFor('config.reloaded', { from: now })
  expect(await send('second')).toEqual(kinds.map(() => body))
  expect(await send('first')).toEqual(kinds.map(() => '401 PT-6101'))
})

/** Another machine asks for the address of an agent that died silently. */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { longTest } from './breadth.ts'
import { type Agent, agentHome, startAgent } from './harness/agent.ts'
import { eventually, within } from './harness/events.ts'
import { callApi, type Service, visitorAddress } from './harness/service.ts'
import { dial, type Listening, readBytes, readToEnd } from './harness/sockets.ts'
import { makeKey, startStandaloneService } from './harness/standalone.ts'
import { startEcho, startHttp } from './harness/upstreams.ts'

/** It takes a minute until the agent is away, and then the relay's next report. */
const patienceMs = 120_000
const homes = [agentHome(), agentHome()] as const
let service: Service
let echo: Listening
let agents: readonly Agent[] = []

beforeAll(async () => {
  ;[service, echo] = await Promise.all([startStandaloneService(), startEcho()])
})
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.stop()))
  await Promise.all([service?.stop(), echo?.close()])
  for (const home of homes) rmSync(home, { recursive: true, force: true })
})

longTest(
  'a port goes to another tunnel of the account in a minute or two, and until then ptun shows when it asks again',
  {
    timeout: 2 * patienceMs,
  },
  async () => {
    const first = await startAgent(service, { old: { kind: 'tcp', upstream: echo.port } }, { home: homes[0] })
    const url = await first.online('old')
    first.program.send('SIGKILL')
    await within(first.program.exited, 'the first agent is dead')
    const port = Number(new URL(url).port)
    const next = await startAgent(
      service,
      { new: { kind: 'tcp', upstream: echo.port, port } },
      { home: homes[1] },
    )
    agents = [next]
    const refused = await next.waitFor('tunnel.refused')
    expect(refused).toMatchObject({ problem: { code: 'PT-2308' } })
    expect(refused.retryInMs).toBeGreaterThan(0)
    const online = await next.waitFor('tunnel.online', { deadlineMs: patienceMs })
    expect(online).toMatchObject({ tunnel: 'new', url })
    const codes = next.events.items.flatMap(({ event, problem }) =>
      event === 'tunnel.refused' ? [(problem as { code: string }).code] : [],
    )
    expect(new Set(codes)).toEqual(new Set(['PT-2308']))
    const visitor = await dial({ host: '127.0.0.1', port })
    const back = readBytes(visitor, 5)
    visitor.write('hello')
    expect(String(await within(back, 'the echo'))).toBe('hello')
    visitor.destroy()
  },
)

test('a key that is revoked takes its tunnels offline within seconds, and tells its agent why', async () => {
  const idsOf = async () =>
    ((await callApi(service, 'GET', '/v1/keys')) as { items: { id: string }[] }).items.map(({ id }) => id)
  const before = await idsOf()
  const key = await makeKey(service)
  const [id] = (await idsOf()).filter((one) => !before.includes(one))
  const keep = await startAgent(service, { kept: { kind: 'tcp', upstream: echo.port } })
  const revoked = await startAgent({ ...service, key }, { gone: { kind: 'tcp', upstream: echo.port } })
  const [port, keptPort] = await Promise.all([
    revoked.online('gone').then((url) => Number(new URL(url).port)),
    keep.online('kept').then((url) => Number(new URL(url).port)),
  ])
  await callApi(service, 'DELETE', `/v1/keys/${id}`)
  await eventually('the port is closed', () =>
    dial({ host: '127.0.0.1', port }).then(
      (socket) => void socket.destroy(),
      () => true,
    ),
  )
  expect(await within(revoked.program.exited, 'its agent ends')).toMatchObject({ code: 3 })
  const visitor = await dial({ host: '127.0.0.1', port: keptPort })
  visitor.destroy()
  await keep.stop()
})

test('a tunnel that an operator takes down is dead to visitors within seconds, and comes back when it is put back', async () => {
  const operator = service.people?.operator
  if (!operator) throw new Error('this service has no operator')
  const web = await startHttp()
  const agent = await startAgent(service, { bad: { kind: 'http', upstream: web.port } })
  agents = [...agents, agent]
  const url = await agent.online('bad')
  const { host, port } = visitorAddress(service, url)
  const ask = async () => {
    const visitor = await dial({ host, port })
    visitor.end(`GET /hello HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: close\r\n\r\n`)
    return String(await readToEnd(visitor))
  }
  expect(await ask()).toContain('200 OK')
  const open = await dial({ host, port })
  open.write(`GET /sse HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`)
  await once(open, 'data')
  open.on('error', () => undefined)
  const cut = new Promise((resolve) => open.once('close', resolve))
  const reason = 'It showed a false sign-in page.'
  const { id } = (await operator('tunnels', 'take-down', url, '--reason', reason)) as { id: string }
  const done = performance.now()
  await within(cut, 'the open connection is cut')
  expect(await ask()).toMatch(/^HTTP\/1\.1 451 [\s\S]*PT-2860/)
  expect(performance.now() - done, 'ms after ptunctl had ended').toBeLessThan(3_000)
  expect(await agent.waitFor('tunnel.refused')).toMatchObject({ problem: { code: 'PT-2860' } })
  await operator('tunnels', 'restore', id)
  await agent.stop()
  const again = await startAgent(service, { bad: { kind: 'http', upstream: web.port } })
  agents = [...agents, again]
  expect(await again.online('bad')).toBe(url)
  expect(await ask()).toContain('200 OK')
  await web.close()
})

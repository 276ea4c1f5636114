import { connect } from 'node:net'
import { join } from 'node:path'
import { newId } from '@porttunneler/shared/base/ids'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { readAll, TestAgent, TestBench } from './testing/test-relay.ts'

let control: TestControl
let bench: TestBench
const host = '127.0.0.1'
const [one, two] = [newId('agt', 1), newId('agt', 2)]

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

type Started = Awaited<ReturnType<TestBench['startRelay']>>

/** An agent of the pool at `endpoint`, bound. Without an upstream its visitors are refused. */
async function joinPool(
  { ports }: Started,
  endpoint: string,
  options: { agentId: string; upstreamPort: number },
) {
  const ticket = await control.ticket({ endpoint, agent: options.agentId, agents: 'many' })
  const dialled = await bench.dial(ports, { ticket, ...options })
  await dialled.bind(1, ticket)
  return dialled
}

/** Sends the name of the upstream, and the rest of a plain HTTP answer. */
const saying = (name: string) =>
  bench.startUpstream((socket) => {
    socket.once('data', () => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n${name}`)
    })
  })

async function get(port: number): Promise<string> {
  const socket = connect({ port, host })
  socket.write('POST / HTTP/1.1\r\nHost: demo.tunnels.test\r\nContent-Length: 2\r\n\r\nhi')
  return await readAll(socket)
}
const times = <T>(count: number, work: () => Promise<T>) =>
  Promise.all(Array.from({ length: count }, () => work()))

describe('a pool behind a relay', () => {
  const endpoint = 'host:demo.tunnels.test'

  test('HTTP visitors are spread over its agents, and all go to the other when one leaves', async () => {
    const started = await bench.startRelay()
    const first = await joinPool(started, endpoint, { agentId: one, upstreamPort: await saying('A') })
    await joinPool(started, endpoint, { agentId: two, upstreamPort: await saying('B') })
    const { httpPort } = started.ports
    const answers = await times(20, () => get(httpPort))
    const count = (name: string) => answers.filter((answer) => answer.endsWith(name)).length
    expect(count('A') + count('B')).toBe(20)
    expect(Math.min(count('A'), count('B'))).toBeGreaterThanOrEqual(5)
    first.session.close('session.closed')
    const after = await times(10, () => get(httpPort))
    expect(after.every((answer) => answer.endsWith('B'))).toBe(true)
  })

  test('no visitor notices an upstream that is down; with all down it gets the reason', async () => {
    const started = await bench.startRelay()
    await joinPool(started, endpoint, { agentId: one, upstreamPort: await freePort() })
    const second = await joinPool(started, endpoint, { agentId: two, upstreamPort: await saying('B') })
    const { httpPort } = started.ports
    for (let i = 0; i < 10; i++) expect(await get(httpPort)).toMatch(/^HTTP\/1.1 200.*B$/s)
    second.session.unbind(1)
    const status = async () => (await get(httpPort)).split('\r\n', 1)[0]
    await expect.poll(status, { timeout: 20_000 }).toBe('HTTP/1.1 502 Bad Gateway')
    const metrics = await (await fetch(`http://${host}:${started.ports.adminPort}/metrics`)).text()
    expect(metrics).toMatch(/ptun_refused_total\{tunnel="tun_[^"]+",code="PT-6040"\} \d+/)
  })

  test('visitors of a tcp port go to the agent that can serve, with first bytes and half-close', async () => {
    const started = await bench.startRelay()
    const tcp = `tcp:c1:${await freePort()}`
    await joinPool(started, tcp, { agentId: one, upstreamPort: await freePort() })
    const echo = await bench.startUpstream((socket) => void socket.pipe(socket))
    await joinPool(started, tcp, { agentId: two, upstreamPort: echo })
    const said = await times(10, async () => {
      const socket = connect({ port: Number(tcp.split(':')[2]), host, allowHalfOpen: true })
      socket.end('hello')
      return await readAll(socket)
    })
    expect(said).toEqual(Array(10).fill('hello'))
  })

  test('a process whose agents cannot serve hands its visitors to a sibling whose agent can', async () => {
    const [httpPort, tlsPort] = [await freePort(), await freePort()]
    const start = (instance: string) =>
      bench.startRelay({
        instance,
        dataDir: join(bench.dataDir, instance),
        listen: {
          tls: { host, port: tlsPort },
          http: { host, port: httpPort },
          tcpHost: host,
          siblings: join(bench.dataDir, 'siblings'),
          own: { host, tlsPort: 0, httpPort: 0 },
        },
      })
    const [first, second] = [await start('r1'), await start('r2')]
    const dial = async ({ ports }: Started, agentId: string, upstreamPort: number) => {
      const port = ports.own?.tlsPort ?? 0
      const { boot } = await control.synced(({ boot }) => boot.agentAddress.port === port)
      const ticket = await control.ticket({ endpoint, agent: agentId, agents: 'many' })
      const { certificate } = boot.agentAddress
      const dialled = await TestAgent.dial(port, { ticket, upstreamPort, agentId, certificate })
      await dialled.bind(1, ticket)
      return dialled
    }
    const sick = await dial(first, one, await freePort())
    const well = await dial(second, two, await saying('B'))
    const own = first.ports.own?.httpPort ?? 0
    expect(await get(own)).toContain('502')
    expect(await get(own)).toMatch(/^HTTP\/1.1 200.*B$/s)
    for (const { session } of [sick, well]) session.close('session.closed')
  })
})

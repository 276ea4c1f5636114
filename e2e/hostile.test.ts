/**
 * The short form of the chaos scenario `hostile`: a relay in this process on the loopback, strangers in another one
 * from a network of their own (127.66.0.0/24), and people who go on being served.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestControl } from '../relay-vm/testing/test-control.ts'
import { freePort, TestBench } from '../relay-vm/testing/test-relay.ts'
import { percentile, pingOnce } from './chaos/visitors.ts'
import { eventually } from './harness/events.ts'
import { startProgram } from './harness/programs.ts'
import type { Address } from './harness/sockets.ts'

const host = '127.0.0.1'
const spanMs = 700
/** Under this a doubled p99 says more of a busy machine than of the relay. */
const p99MsFloor = 100
const memoryMiBMax = 128

describe('strangers at a relay', () => {
  let bench: TestBench
  let started: Awaited<ReturnType<TestBench['startRelay']>>
  let echo: Address
  let quietMs: number

  beforeAll(async () => {
    const control = await makeTestControl()
    bench = await TestBench.make(control)
    // People are of this machine too, so it is not exempt: the strangers' /24 is what is told apart.
    const handshakes = { source: { perMinute: 3_000, burst: 20 } }
    const limits = { strangersMax: 300, exempt: ['127.0.0.0/24'], handshakes }
    started = await bench.startRelay({ limits })
    const endpoint = `tcp:c1:${await freePort()}`
    const ticket = await control.ticket({ endpoint })
    const upstreamPort = await bench.startUpstream((socket) => void socket.pipe(socket))
    const agent = await bench.dial(started.ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    echo = { host, port: Number(endpoint.split(':')[2]) }
    quietMs = await visits()
  })
  afterAll(() => bench?.close())

  /** p99 of new visitors, one after the other. */
  async function visits(): Promise<number> {
    const took: number[] = []
    const endMs = performance.now() + spanMs
    while (performance.now() < endMs) took.push(await pingOnce(echo))
    return percentile(took, 0.99)
  }

  /** A figure of the relay's; 0 while there is none. */
  const figure = async (name: string) => {
    const text = await (await fetch(`http://${host}:${started.ports.adminPort}/metrics`)).text()
    const line = text.split('\n').find((one) => one.startsWith(`${name} `))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  const refused = (code: string) => figure(`ptun_refused_total{tunnel="",code="${code}"}`)
  const strangers = () => figure('ptun_stranger_sockets')

  test.each([
    { kind: 'slow', at: 'httpPort', amount: 400, code: 'PT-4118' },
    { kind: 'silent', at: 'tlsPort', amount: 400, code: 'PT-4118' },
    { kind: 'garbage', at: 'tlsPort', amount: 1_500, code: 'PT-4110' },
    { kind: 'garbage', at: 'httpPort', amount: 1_500, code: 'PT-4101' },
    { kind: 'handshake', at: 'tlsPort', amount: 1_000, code: 'PT-4115' },
  ] as const)('$kind at $at: others are served as before, and nothing stays', async (attack) => {
    const { kind, at, amount, code } = attack
    const [before, refusedBefore] = [process.memoryUsage.rss(), await refused(code)]
    const words = [kind, started.ports[at], amount, host, '127.66.0.2', 'nobody.tunnels.test']
    const stranger = await startProgram('node', ['e2e/chaos/stranger.ts', ...words.map(String)])
    try {
      await eventually('the relay turns strangers away', async () =>
        (await refused(code)) > refusedBefore + 10 ? true : undefined,
      )
      const p99Ms = await visits()
      expect(p99Ms).toBeLessThanOrEqual(2 * Math.max(quietMs, p99MsFloor))
      expect(await strangers()).toBeLessThanOrEqual(300 + 512)
    } finally {
      await stranger.stop('SIGKILL')
    }
    await eventually('nothing is left of them', async () => ((await strangers()) === 0 ? true : undefined))
    expect((process.memoryUsage.rss() - before) / 1024 ** 2).toBeLessThan(memoryMiBMax)
  })
})

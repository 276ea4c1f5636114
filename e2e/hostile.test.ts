/**
 * The short form of the chaos scenario `hostile`: a relay in this process on loopback, strangers in another process
 * from a network of their own (127.66.0.0/24), and visitors that must still be served. The times are compared with a
 * second relay that nobody attacks and that has the same share of a busy machine; the scenario has a machine for each.
 */
import { join } from 'node:path'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestControl } from '../relay-vm/testing/test-control.ts'
import { TestBench } from '../relay-vm/testing/test-relay.ts'
import { isWhole } from './breadth.ts'
import { percentile, pingOnce } from './chaos/visitors.ts'
import { eventually } from './harness/events.ts'
import { startProgram } from './harness/programs.ts'
import type { Address } from './harness/sockets.ts'

const host = '127.0.0.1'
/** Visits to each of the two relays. */
const visitsTotal = 100
const memoryMiBMax = 128

describe('strangers at a relay', () => {
  let bench: TestBench
  let started: Awaited<ReturnType<TestBench['startRelay']>>
  let echo: Address
  let quietEcho: Address

  beforeAll(async () => {
    const control = await makeTestControl()
    bench = await TestBench.make(control)
    // Visitors come from this machine too, so it is not exempt: the strangers' /24 makes the difference.
    const handshakes = { source: { perMinute: 3_000, burst: 20 } }
    const limits = { strangersMax: 300, exempt: ['127.0.0.0/24'], handshakes }
    const start = async (instance: string) => {
      const relay = await bench.startRelay({ instance, limits, dataDir: join(bench.dataDir, instance) })
      const port = await freePort()
      const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
      const upstreamPort = await bench.startUpstream((socket) => void socket.pipe(socket))
      const agent = await bench.dial(relay.ports, { ticket, upstreamPort })
      await agent.bind(1, ticket)
      return { relay, address: { host, port } }
    }
    const [attacked, quiet] = [await start('r1'), await start('r2')]
    started = attacked.relay
    echo = attacked.address
    quietEcho = quiet.address
  })
  afterAll(() => bench?.close())

  /** New visitors of both relays in turn, one after the other. @returns the longest wait of 95 in 100, and of 99 */
  async function visits(): Promise<{ readonly p95Ms: number; readonly quietP99Ms: number }> {
    const [took, quiet]: [number[], number[]] = [[], []]
    for (let count = 0; count < visitsTotal; count++) {
      took.push(await pingOnce(echo))
      quiet.push(await pingOnce(quietEcho))
    }
    return { p95Ms: percentile(took, 0.95), quietP99Ms: percentile(quiet, 0.99) }
  }

  /** A figure of the relay; 0 while there is none. */
  const figure = async (name: string) => {
    const text = await (await fetch(`http://${host}:${started.ports.adminPort}/metrics`)).text()
    const line = text.split('\n').find((one) => one.startsWith(`${name} `))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  const refused = (code: string) => figure(`ptun_refused_total{tunnel="",code="${code}"}`)
  const strangers = () => figure('ptun_stranger_sockets')

  const floods = [
    { kind: 'slow', at: 'httpPort', amount: 400, code: 'PT-4118' },
    { kind: 'silent', at: 'tlsPort', amount: 400, code: 'PT-4118' },
    { kind: 'garbage', at: 'tlsPort', amount: 1_500, code: 'PT-4110' },
    { kind: 'garbage', at: 'httpPort', amount: 1_500, code: 'PT-4101' },
    { kind: 'handshake', at: 'tlsPort', amount: 1_000, code: 'PT-4115' },
  ] as const
  // relay-vm/policy/admission.test.ts and pools.test.ts hold what the others prove beyond these two.
  const some = floods.filter(
    ({ kind, at }) => isWhole || kind === 'silent' || (kind === 'garbage' && at === 'httpPort'),
  )
  test.each(some)('$kind at $at: others are served as before, and nothing is left', async (attack) => {
    const { kind, at, amount, code } = attack
    const [before, refusedBefore] = [process.memoryUsage.rss(), await refused(code)]
    const words = [kind, started.ports[at], amount, host, '127.66.0.2', 'nobody.tunnels.test']
    const stranger = await startProgram('node', ['e2e/chaos/stranger.ts', ...words.map(String)])
    try {
      await eventually('the relay turns strangers away', async () =>
        (await refused(code)) > refusedBefore + 10 ? true : undefined,
      )
      const { p95Ms, quietP99Ms } = await visits()
      expect(p95Ms).toBeLessThanOrEqual(2 * quietP99Ms)
      expect(await strangers()).toBeLessThanOrEqual(300 + 512)
    } finally {
      await stranger.stop('SIGKILL')
    }
    await eventually('nothing is left of them', async () => ((await strangers()) === 0 ? true : undefined))
    expect((process.memoryUsage.rss() - before) / 1024 ** 2).toBeLessThan(memoryMiBMax)
  })
})

/**
 * A tenant that floods the relay with small frames takes a third of its time and no more, and so does a stranger who
 * visits a tunnel (shared/mux/work-share.ts, relay-vm/source-shares.ts).
 * Visitors of another tenant come alternately with and without the flood: only the comparison counts, so a busy machine
 * changes nothing.
 */
import { join } from 'node:path'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../relay-vm/testing/test-control.ts'
import { agentSni, ownName, TestBench } from '../relay-vm/testing/test-relay.ts'
import { breadthOf, isWhole } from './breadth.ts'
import { percentile, pingOnce } from './chaos/visitors.ts'
import type { GreedyTenant } from './greedy-tenant.ts'
import type { GreedyVisitor } from './greedy-visitor.ts'
import { startProgram } from './harness/programs.ts'
import type { Address } from './harness/sockets.ts'

const host = '127.0.0.1'
const rounds = isWhole ? 3 : 2
const visitsPerRound = 25
/** Without the share the factor is 15 to 50. */
const slowerMax = 6
/**
 * Without a share for sources the factor for chunks is some thousand. The stranger has fifty connections, each read
 * once.
 */
const strangerMax = 25
const hogHost = 'hog.tunnels.test'

describe('who floods', () => {
  let control: TestControl
  let bench: TestBench
  let relay: Awaited<ReturnType<TestBench['startRelay']>>
  let echo: Address

  beforeAll(async () => {
    control = await makeTestControl()
    bench = await TestBench.make(control)
    const limits = { exempt: ['127.0.0.0/24'] }
    relay = await bench.startRelay({ instance: 'r1', limits, dataDir: join(bench.dataDir, 'r1') })
    const port = await freePort()
    const ticket = await control.ticket({ endpoint: `tcp:c1:${port}` })
    const upstreamPort = await bench.startUpstream((socket) => void socket.pipe(socket))
    const agent = await bench.dial(relay.ports, { ticket, upstreamPort })
    await agent.bind(1, ticket)
    echo = { host, port }
    await visits()
  })
  afterAll(() => bench?.close())

  async function visits(): Promise<readonly number[]> {
    const took: number[] = []
    while (took.length < visitsPerRound) took.push(await pingOnce(echo))
    return took
  }

  async function tenant(flood: GreedyTenant['flood']) {
    const endpointPort = await freePort()
    const account = 'acc_00000000000000000000greedy'
    const agent = 'agt_00000000000000000000000000'
    const greedy: GreedyTenant = {
      host,
      port: relay.ports.tlsPort,
      sni: agentSni,
      certificate: control.requests.at(-1)?.boot.agentAddress.certificate,
      ticket: await control.ticket({ endpoint: `tcp:c1:${endpointPort}`, account, agent }),
      endpointPort,
      flood,
    }
    return startProgram('node', ['e2e/greedy-tenant.ts', JSON.stringify(greedy)])
  }

  test.each(breadthOf<GreedyTenant['flood']>(['credit', 'sync', 'data', 'unknown'], ['credit']))(
    'as a tenant, with %s, makes others wait a little, and is served itself',
    async (flood) => {
      const quiet: number[] = []
      const flooded: number[] = []
      for (let round = 0; round < rounds; round++) {
        quiet.push(...(await visits()))
        const program = await tenant(flood)
        try {
          await program.lines.waitFor(({ text }) => text === 'flooding', { what: 'the flood' })
          flooded.push(...(await visits()))
          expect(
            program.lines.items.map(({ text }) => text),
            'it is slowed down, not ended',
          ).toEqual(['flooding'])
        } finally {
          await program.stop('SIGKILL')
        }
      }
      expect(percentile(flooded, 0.5) / percentile(quiet, 0.5)).toBeLessThan(slowerMax)
    },
  )

  test.each([
    [
      'chunks of a byte',
      `POST / HTTP/1.1\r\nHost: ${hogHost}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '1\r\nx\r\n',
    ],
    ['requests for the relay itself', '', `GET / HTTP/1.1\r\nHost: ${ownName}\r\n\r\n`],
  ])('as a visitor, with %s, makes others wait a little', async (_name, head, piece) => {
    const sink = await bench.startUpstream((socket) => void socket.resume())
    const ids = { account: 'acc_00000000000000000000greedy', agent: 'agt_00000000000000000000000000' }
    const ticket = await control.ticket({ endpoint: `host:${hogHost}`, kind: 'http', ...ids })
    const hog = await bench.dial(relay.ports, { ticket, upstreamPort: sink, agentId: ids.agent })
    await hog.bind(1, ticket)
    const visitor: GreedyVisitor = { host, port: relay.ports.httpPort, from: '127.0.9.5', head, piece }
    const quiet = await visits()
    const program = await startProgram('node', ['e2e/greedy-visitor.ts', JSON.stringify(visitor)])
    try {
      await program.lines.waitFor(({ text }) => text === 'flooding', { what: 'the flood' })
      expect(percentile(await visits(), 0.5) / percentile(quiet, 0.5)).toBeLessThan(strangerMax)
    } finally {
      await program.stop('SIGKILL')
      hog.session.close('session.closed')
    }
  })
})

/** An upstream that is down shows in the charts of every kind of tunnel, not only where the relay reads requests. */
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { answerPlaces, answerShape } from '@porttunneler/shared/api/schemas/relays'
import { highestCounts, unpackCounts } from '@porttunneler/shared/base/packed-counts'
import { freePort } from '@porttunneler/shared/testing/ports'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

const host = '127.0.0.1'
const name = 'demo.tunnels.test'

let control: TestControl
let bench: TestBench
beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

/** The sum of all minutes. Reports are cumulative, so the highest counts. */
function unanswered(): number {
  const rows = control.requests.flatMap(({ usage }) => usage)
  const all = rows.reduce<string | undefined>(
    (known, row) => highestCounts(known, row?.answers, answerShape),
    '',
  )
  return (unpackCounts(all ?? '', answerShape) ?? [])
    .filter((_, at) => at % answerShape.width === answerPlaces.unanswered)
    .reduce((a, b) => a + b, 0)
}

test.each([
  ['tcp', 'one'],
  ['tcp', 'many'],
  ['tls', 'one'],
  ['tls', 'many'],
  ['http', 'one'],
  ['http', 'many'],
] as const)('a visitor who does not reach the upstream is counted: %s, agents: %s', async (kind, agents) => {
  const { relay, ports } = await bench.startRelay({ graceMs: 30_000 })
  const port = await freePort()
  const endpoint = kind === 'tcp' ? `tcp:c1:${port}` : `host:${name}`
  const ticket = await control.ticket({ kind, endpoint, agents })
  const agent = await bench.dial(ports, { ticket, upstreamPort: await freePort() })
  await agent.bind(1, ticket)
  for (let n = 0; n < 2; n++) {
    const tls = { host, port: ports.tlsPort, servername: name, rejectUnauthorized: false }
    const plain = { host, port: kind === 'tcp' ? port : ports.httpPort }
    const visitor = kind === 'tls' ? connectTls(tls) : connect(plain)
    visitor.on('error', () => {})
    if (kind === 'http') visitor.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)
    visitor.resume()
    // It is reset, which `once` of events would treat as a failure.
    await new Promise((resolve) => visitor.once('close', resolve))
  }
  await relay.drain()
  expect(unanswered()).toBe(2)
})

/** A whole relay in front of visitors whose HTTP is not what RFC 9112 recommends. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { turns } from '@porttunneler/shared/testing/mux-link'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { readAll, TestBench } from './testing/test-relay.ts'

const host = 'a.tunnels.test'
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none'

let control: TestControl
let bench: TestBench
let clock: FakeClock

beforeEach(async () => {
  control = await makeTestControl()
  bench = await TestBench.make(control)
  clock = new FakeClock(Date.now())
  control.nowMs = () => clock.now()
})
afterEach(() => bench.close())

/** Its upstream answers each request head that it gets. */
async function startTunnel() {
  const { ports } = await bench.startRelay({}, { clock })
  let heard = ''
  const upstreamPort = await bench.startUpstream((socket) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      if (heard.endsWith('\r\n\r\n')) socket.write(answer)
    })
    socket.on('end', () => socket.end())
  })
  const ticket = await control.ticket({ endpoint: `host:${host}` })
  const agent = await bench.dial(ports, { ticket, upstreamPort })
  await agent.bind(1, ticket)
  return { port: ports.httpPort, requests: () => heard.match(/^[A-Z]+ \S+/gm) }
}

test.each([
  ['Connection: close', `GET /1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`],
  ['HTTP/1.0', `GET /1 HTTP/1.0\r\nHost: ${host}\r\n\r\n`],
])(
  'RFC 9112 9.6: %s: bytes behind the last request are ignored, and the request is answered',
  async (_, last) => {
    const { port, requests } = await startTunnel()
    const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    visitor.end(`${last}GET /2 HTTP/1.1\nnonsense${'x'.repeat(200_000)}`)
    expect(await readAll(visitor)).toBe(answer)
    expect(requests()).toEqual(['GET /1'])
  },
)

test('RFC 9112 2.2: half an empty line between requests leaves no deadline behind', async () => {
  const { port, requests } = await startTunnel()
  const visitor = connect({ port, host: '127.0.0.1', noDelay: true })
  visitor.write(`\r\n\r\nGET /1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  expect(String(await once(visitor, 'data'))).toBe(answer)
  const before = await settledTimers()
  visitor.write('\r')
  while (clock.pending === before) await turns(1)
  visitor.write('\n')
  while (clock.pending > before) await turns(1)
  visitor.write(`GET /2 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  expect(String(await once(visitor, 'data'))).toBe(answer)
  expect(requests()).toEqual(['GET /1', 'GET /2'])
  visitor.destroy()
})

/** How many timers there are once the effects of the request are over. */
async function settledTimers(): Promise<number> {
  for (let before = -1; ; ) {
    const now = clock.pending
    if (now === before) return now
    before = now
    await turns(100)
  }
}

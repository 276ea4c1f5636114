/**
 * `npm run bench:http2`: what a request costs the relay over HTTP/2, beside HTTP/1.1, both by TLS on kept connections.
 * h2load is the visitor (Debian: nghttp2-client). The shapes take turns in the same run, so only their ratios count.
 *
 *   npm run bench:http2 -- --rounds 3 --requests 30000
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { loadavg } from 'node:os'
import { promisify } from 'node:util'
import { agent, openPolicy } from '@porttunneler/relay-vm/testing/test-control'
import { TestAgent } from '@porttunneler/relay-vm/testing/test-relay'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { LoneRelay } from './lone-relay.ts'
import { host } from './path.ts'
import { cpuSeconds } from './processes.ts'

const shapes = {
  'HTTP/1.1, 16 connections': ['--h1', '-c', '16'],
  'HTTP/2, 16 connections, 1 request at a time': ['-c', '16', '-m', '1'],
  'HTTP/2, 2 connections, 8 requests at a time': ['-c', '2', '-m', '8'],
} as const

const values = readOptions({
  name: 'bench:http2',
  what: 'What a request costs the relay over HTTP/2, beside HTTP/1.1.',
  takes: 'Takes about a minute.',
  options: {
    rounds: { type: 'string', default: '3', value: 'number', says: 'how often the shapes take turns' },
    requests: { type: 'string', default: '30000', value: 'number', says: 'of each shape in a round' },
  },
})
const rounds = z.coerce.number().int().min(1).max(50).parse(values.rounds)
const requests = z.coerce.number().int().min(100).max(1_000_000).parse(values.requests)
const name = 'demo.tunnels.test'
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Answers each head at once with 256 bytes. */
async function startUpstream(): Promise<number> {
  const answer = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 256\r\n\r\n${'b'.repeat(256)}`)
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      for (let at = chunk.indexOf('\r\n\r\n'); at >= 0; at = chunk.indexOf('\r\n\r\n', at + 4))
        socket.write(answer)
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function load(port: number, shape: readonly string[]): Promise<void> {
  const args = [...shape, '-n', String(requests), `--connect-to=${host}:${port}`, `https://${name}/`]
  const { stdout } = await promisify(execFile)('h2load', args)
  if (!stdout.includes(`status codes: ${requests} 2xx`)) throw new Error(stdout)
}

const relay = await LoneRelay.make(10)
const { port, certificate } = await relay.start()
const ticket = await relay.control.ticket({ endpoint: `host:${name}`, policy: openPolicy })
const dialled = await TestAgent.dial(port, {
  ticket,
  upstreamPort: await startUpstream(),
  agentId: agent,
  certificate,
})
await dialled.bind(1, ticket)
const figures = new Map<string, number[]>(Object.keys(shapes).map((shape) => [shape, []]))
// The first round is left out: the relay's code is compiled in it.
for (let round = 0; round <= rounds; round++)
  for (const [shape, args] of Object.entries(shapes)) {
    const before = cpuSeconds(relay.pids)
    await load(port, args)
    if (round > 0) figures.get(shape)?.push(((cpuSeconds(relay.pids) - before) / requests) * 1e6)
  }
const [usual] = [...figures.values()].map(median)
say(
  `load average ${loadavg()[0]?.toFixed(1)}, medians of ${rounds}\n\n| | CPU of the relay a request | ratio |\n|---|---|---|`,
)
for (const [shape, each] of figures)
  say(`| ${shape} | ${median(each).toFixed(0)} us | ${(median(each) / (usual ?? 1)).toFixed(2)} |`)
await relay.close()
process.exit(0)

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0
}

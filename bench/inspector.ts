/**
 * `node bench/inspector.ts`: what the inspector costs an agent, and that without it nothing is paid. Visitors are
 * streams of this process and the upstream is a real socket, so everything that the agent does with a request is in the
 * figures, and nothing of a relay. The three shapes take turns in one run, so only their ratios count; `off again` is
 * `off` a second time and shows how much two equal ones differ.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { systemClock } from '@porttunneler/shared/base/clock'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { Turn } from '@porttunneler/shared/mux/turn'
import { newTunnel } from '../cli/agent/tunnels.ts'
import { VisitorDesk } from '../cli/agent/visitor-desk.ts'
import type { VisitorStream } from '../cli/agent/visitor-stream.ts'
import { Inspector } from '../cli/inspector/inspector.ts'

const shapes = ['off', 'on', 'off again'] as const
type Shape = (typeof shapes)[number]
const rounds = Number(process.argv[2] ?? 7)
const requestsPerRound = 20_000
const visitorsAtATime = 32
const fields =
  'User-Agent: bench\r\nAccept: */*\r\nCookie: session=0123456789abcdef; theme=dark\r\nX-Request-Id: 42\r\n'
const question = Buffer.from(`GET /path?page=2&token=abc HTTP/1.1\r\nHost: demo.test\r\n${fields}\r\n`)
const bulkBytes = 64 * 1024 * 1024
const say = (line: string) => process.stdout.write(`${line}\n`)

/** Answers each head with 256 bytes, or with a long body. */
async function startUpstream(bodyBytes: number): Promise<number> {
  const head = Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
  )
  const answer = Buffer.concat([head, Buffer.alloc(bodyBytes, 'b')])
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      for (let at = chunk.indexOf('\r\n\r\n'); at >= 0; at = chunk.indexOf('\r\n\r\n', at + 4))
        socket.write(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  server.unref()
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A visitor that asks again as soon as the answer is complete. */
class Asker implements VisitorStream {
  isOver = false
  bytesIn = 0
  bytesOut = 0
  sink: StreamSink | undefined
  left: number
  readonly done = Promise.withResolvers<void>()
  readonly #answerBytes: number
  #heard = 0

  constructor(requests: number, answerBytes: number) {
    this.left = requests
    this.#answerBytes = answerBytes
  }

  ask(): void {
    this.left -= 1
    this.#heard = 0
    this.sink?.onData(question)
  }

  write(bytes: Buffer): boolean {
    this.#heard += bytes.length
    if (this.#heard < this.#answerBytes) return true
    if (this.left > 0) this.ask()
    else this.done.resolve()
    return true
  }

  end(): void {
    this.isOver = true
  }

  reset(): void {
    this.isOver = true
  }

  resetBehind(): void {
    this.isOver = true
  }

  consumed(): void {}
  opened(): void {}
  answeredUpgrade(): void {}
}

function deskOf(shape: Shape): VisitorDesk {
  const inspect = shape === 'on' ? new Inspector(systemClock) : undefined
  return new VisitorDesk({
    clock: systemClock,
    turn: new Turn(),
    emit() {},
    inspect,
    visitorsMax: 1_000,
    onIdle() {},
  })
}

type Load = {
  readonly port: number
  readonly bodyBytes: number
  readonly visitors: number
  readonly each: number
}

/** @returns CPU microseconds of this process, the upstream's among them */
async function run(shape: Shape, { port, bodyBytes, visitors, each }: Load): Promise<number> {
  const tunnel = newTunnel(1, { name: 'web', kind: 'http', upstream: { host: '127.0.0.1', port } })
  const desk = deskOf(shape)
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`.length
  const askers = Array.from({ length: visitors }, (_, at) => {
    const asker = new Asker(each, head + bodyBytes)
    asker.sink = desk.accept(
      asker,
      { bind: 1, visitorAddress: '192.0.2.1', visitorPort: at, localPort: 80, atMs: 0, awaitsUpgrade: false },
      tunnel,
    )
    return asker
  })
  const before = process.cpuUsage()
  for (const asker of askers) asker.ask()
  await Promise.all(askers.map(({ done }) => done.promise))
  const { user, system } = process.cpuUsage(before)
  desk.close()
  return user + system
}

async function measure(what: string, load: Load, say: (us: number) => string): Promise<readonly string[]> {
  const figures = new Map<Shape, number[]>(shapes.map((shape) => [shape, []]))
  for (const shape of shapes) await run(shape, load)
  for (let round = 0; round < rounds; round++)
    // Another order each time, so that none is always the one behind a collection of garbage.
    for (const shape of [...shapes.slice(round % 3), ...shapes.slice(0, round % 3)])
      figures.get(shape)?.push(await run(shape, load))
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
  const off = median(figures.get('off') ?? [])
  return shapes.map((shape) => {
    const us = median(figures.get(shape) ?? [])
    return `${what}  ${shape.padEnd(10)} ${say(us)}  ${(us / off).toFixed(2)} of off`
  })
}

const small = {
  port: await startUpstream(256),
  bodyBytes: 256,
  visitors: visitorsAtATime,
  each: requestsPerRound / visitorsAtATime,
}
const bulk = { port: await startUpstream(bulkBytes), bodyBytes: bulkBytes, visitors: 1, each: 2 }
const lines = [
  ...(await measure('small requests', small, (us) => `${(us / requestsPerRound).toFixed(1)} us each`)),
  ...(await measure(
    'one download  ',
    bulk,
    (us) => `${((us / bulkBytes / 2) * 1_000).toFixed(2)} ns a byte`,
  )),
]
for (const line of lines) say(line)
process.exit()

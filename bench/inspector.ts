/**
 * Measures what the inspector costs an agent, and that none costs nothing. Visitors are streams of this process and the
 * upstream is a real socket, so everything that the agent does with a request is in the figures, and nothing of a
 * relay. With and without take turns in one run, so only their ratios count.
 *
 *   node bench/inspector.ts cost [rounds]    as many requests as there is time for; `off again` is `off` a second time
 *                                            and shows how much two equal ones differ
 *   node bench/inspector.ts rate [seconds]   10,000 requests a second, and the memory that they leave
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Turn } from '@porttunneler/shared/mux/turn'
import { newTunnel } from '../cli/agent/tunnels.ts'
import { VisitorDesk } from '../cli/agent/visitor-desk.ts'
import { Inspector } from '../cli/inspector/inspector.ts'
import { ringLimits } from '../cli/inspector/ring.ts'
import { StreamVisitor } from '../cli/testing/stream-visitor.ts'

type Shape = 'off' | 'on' | 'off again'

const fields =
  'User-Agent: bench\r\nAccept: */*\r\nCookie: session=0123456789abcdef; theme=dark\r\nX-Request-Id: 42\r\n'
const question = Buffer.from(`GET /path?page=2&token=abc HTTP/1.1\r\nHost: demo.test\r\n${fields}\r\n`)
const say = (line: string) => process.stdout.write(`${line}\n`)
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const headOf = (bodyBytes: number) =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`

/** Answers each head with a body of this length. */
async function startUpstream(bodyBytes: number): Promise<number> {
  const answer = Buffer.concat([Buffer.from(headOf(bodyBytes)), Buffer.alloc(bodyBytes, 'b')])
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

/** A visitor that has one request under way at a time. */
class Asker {
  readonly visitor: StreamVisitor
  #heard = 0

  /** @param onAnswered the answer is complete: another may be asked for */
  constructor(answerBytes: number, onAnswered: (asker: Asker) => void) {
    this.visitor = new StreamVisitor((bytes) => {
      this.#heard += bytes.length
      if (this.#heard >= answerBytes) onAnswered(this)
    })
  }

  ask(): void {
    this.#heard = 0
    this.visitor.ask(question)
  }
}

type Load = { readonly port: number; readonly bodyBytes: number; readonly visitors: number }

/** A desk with visitors who ask nothing yet. */
function openDesk(shape: Shape, { port, bodyBytes, visitors }: Load, onAnswered: (asker: Asker) => void) {
  const tunnel = newTunnel(1, { name: 'web', kind: 'http', upstream: { host: '127.0.0.1', port } })
  const inspect = shape === 'on' ? new Inspector(systemClock) : undefined
  const options = { clock: systemClock, turn: new Turn(), emit() {}, visitorsMax: 1_000, onIdle() {} }
  const desk = new VisitorDesk({ ...options, inspect })
  const askers = Array.from({ length: visitors }, (_, visitorPort) => {
    const asker = new Asker(headOf(bodyBytes).length + bodyBytes, onAnswered)
    asker.visitor.enter(desk, tunnel, { visitorPort })
    return asker
  })
  return { desk, askers, ring: inspect?.recorder.ring }
}

/** @returns CPU microseconds of this process, the upstream's among them */
async function runAll(shape: Shape, load: Load & { readonly each: number }): Promise<number> {
  const done = Promise.withResolvers<void>()
  let left = load.visitors * load.each
  let asked = load.visitors
  const { desk, askers } = openDesk(shape, load, (asker) => {
    left -= 1
    if (left === 0) done.resolve()
    else if (asked < load.visitors * load.each) {
      asked += 1
      asker.ask()
    }
  })
  const before = process.cpuUsage()
  for (const asker of askers) asker.ask()
  await done.promise
  const { user, system } = process.cpuUsage(before)
  desk.close()
  return user + system
}

async function measureCost(rounds: number): Promise<void> {
  const shapes = ['off', 'on', 'off again'] as const
  const measure = async (
    what: string,
    load: Load & { readonly each: number },
    sayEach: (us: number) => string,
  ) => {
    const figures = new Map<Shape, number[]>(shapes.map((shape) => [shape, []]))
    for (const shape of shapes) await runAll(shape, load)
    for (let round = 0; round < rounds; round++)
      // Another order each time, so that none is always the one behind a collection of garbage.
      for (const shape of [...shapes.slice(round % 3), ...shapes.slice(0, round % 3)])
        figures.get(shape)?.push(await runAll(shape, load))
    const off = median(figures.get('off') ?? [])
    for (const shape of shapes) {
      const us = median(figures.get(shape) ?? [])
      say(`${what}  ${shape.padEnd(10)} ${sayEach(us)}  ${(us / off).toFixed(2)} of off`)
    }
  }
  const small = { port: await startUpstream(256), bodyBytes: 256, visitors: 32, each: 625 }
  await measure('small requests', small, (us) => `${(us / 20_000).toFixed(1)} us each`)
  const bytes = 64 * 1024 * 1024
  const bulk = { port: await startUpstream(bytes), bodyBytes: bytes, visitors: 1, each: 2 }
  await measure('one download  ', bulk, (us) => `${((us / bytes / 2) * 1_000).toFixed(2)} ns a byte`)
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Counts what is alive, in bytes, when the last run has let go of its own. */
async function liveBytes(): Promise<number> {
  for (let turns = 0; turns < 3; turns++) {
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

type Paced = {
  readonly cpuUs: number
  readonly asked: number
  readonly live: number
  readonly ringBytes: number
}

/** Asks at an even rate for a while. */
async function runPaced(
  shape: Shape,
  load: Load & { readonly perSecond: number; readonly seconds: number },
): Promise<Paced> {
  const idle: Asker[] = []
  const { desk, askers, ring } = openDesk(shape, load, (asker) => idle.push(asker))
  idle.push(...askers)
  const before = process.cpuUsage()
  const start = performance.now()
  const done = Promise.withResolvers<void>()
  let asked = 0
  let ringBytes = 0
  const step = () => {
    const now = performance.now() - start
    const due = Math.min(load.seconds, now / 1_000) * load.perSecond
    while (asked < due) {
      const asker = idle.pop()
      if (!asker) break
      asked += 1
      asker.ask()
    }
    ringBytes = Math.max(ringBytes, ring?.bytes ?? 0)
    if (now < load.seconds * 1_000 || idle.length < load.visitors) setTimeout(step, 2)
    else done.resolve()
  }
  step()
  await done.promise
  const { user, system } = process.cpuUsage(before)
  const live = await liveBytes()
  desk.close()
  return { cpuUs: user + system, asked, live, ringBytes }
}

async function measureRate(seconds: number): Promise<void> {
  const limit = ringLimits.bytes
  for (const [bodyBytes, perSecond] of [
    [256, 10_000],
    [65_536, 1_000],
  ] as const) {
    const load = { port: await startUpstream(bodyBytes), bodyBytes, visitors: 200, perSecond, seconds }
    const costs: number[] = []
    const { live: usual } = await runPaced('off', { ...load, seconds: 1 })
    for (const shape of ['off', 'on', 'off again', 'on'] as const) {
      const { cpuUs, asked, ringBytes, ...paced } = await runPaced(shape, load)
      const live = paced.live - usual
      costs.push(cpuUs / asked)
      say(
        `answers of ${bodyBytes} bytes  ${shape.padEnd(10)} ${Math.round(asked / seconds)} a second, ` +
          `${(cpuUs / asked).toFixed(1)} us each, ring ${(ringBytes / 1e6).toFixed(1)} MB, ` +
          `more alive than before: ${(live / 1e6).toFixed(1)} MB`,
      )
      if (ringBytes > limit || live > 1.5 * limit) {
        say(`more than the ${limit / 1e6} MB of the ring`)
        process.exitCode = 1
      }
    }
    const [off = 1, on = 1, offAgain = 1, onAgain = 1] = costs
    say(`with is ${((on + onAgain) / (off + offAgain)).toFixed(2)} of without`)
  }
}

const [, , what = 'cost', count] = process.argv
if (what === 'rate') await measureRate(Number(count ?? 10))
else await measureCost(Number(count ?? 7))
process.exit()

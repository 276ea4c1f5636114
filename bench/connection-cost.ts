/**
 * `npm run bench:connection-cost`: what a new connection costs the relay and the agent, in microseconds of CPU time by
 * thread, and how much of V8's heap an idle visitor holds. The ways take turns in many short rounds, and their medians
 * tell small differences also on a busy machine, where rates tell nothing.
 *
 *   npm run bench:connection-cost -- --against ../other-checkout --rounds 25 --idle 1000
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { order } from './order.ts'
import type { Path } from './path.ts'
import { ptunAs } from './path-ptun.ts'
import { cpuOfThreads, forkProgram, nextMessage, stop } from './processes.ts'
import { median, ours } from './report.ts'
import type { Job } from './scenarios.ts'
import { type Variant, variantOf } from './variants.ts'

/** Enough for V8's best compiler, whose work would count otherwise. */
const warmUpConnections = 12_000
/** Heaps are compared from here on: the first visitors make what is made once. */
const firstIdle = 200
/** Sockets are closed, and timers have run. */
const settleMs = 1_500
const probe = fileURLToPath(new URL('heap-probe.cjs', import.meta.url))

const values = readOptions({
  name: 'bench:connection-cost',
  what: 'CPU time of relay and agent for a new connection, and the heap of an idle visitor, ways in turn.',
  takes: 'Takes about three minutes.',
  options: {
    rounds: { type: 'string', default: '25', value: 'number', says: 'how often the ways take turns' },
    count: { type: 'string', default: '500', value: 'number', says: 'connections of a way in a round' },
    door: { type: 'string', default: 'tcp', value: 'tcp|vhost', says: 'the kind of tunnel; vhost: http' },
    idle: { type: 'string', default: '1000', value: 'number', says: 'idle visitors when heaps are taken' },
    against: { type: 'string', value: 'folder', says: 'another checkout that was built: the way "before"' },
    variant: {
      type: 'string',
      multiple: true,
      default: [],
      value: 'name=options',
      says: 'ptun with options for Node at both ends; may be repeated',
    },
  },
})
const rounds = z.coerce.number().int().min(1).max(1_000).parse(values.rounds)
const count = z.coerce.number().int().min(50).max(10_000).parse(values.count)
const idle = z.coerce.number().int().min(0).max(20_000).parse(values.idle)
const door = z.enum(['tcp', 'vhost']).parse(values.door)
const say = (line: string) => process.stdout.write(`${line}\n`)
const backendSchema = z.object({ tcpPort: z.int(), httpPort: z.int() })

type End = 'server' | 'client'
/** Microseconds a connection. */
type Cost = { readonly main: number; readonly others: number }
type Costs = Readonly<Record<End, Cost>>

const folder = mkdtempSync(join(tmpdir(), 'pt-heaps-'))
const backend = forkProgram(new URL('backend.ts', import.meta.url))
const load = forkProgram(new URL('load.ts', import.meta.url))

async function main(): Promise<void> {
  const ports = backendSchema.parse(await nextMessage(backend))
  const before: readonly Variant[] = values.against
    ? [{ name: 'before', folder: resolve(values.against) }]
    : []
  const variants = [{ name: ours }, ...before, ...values.variant.map(variantOf)]
  const paths: Path[] = []
  try {
    for (const variant of variants) paths.push(await ptunAs(probed(variant)).open(ports))
    await connectionCosts(paths)
    if (idle > 0) await heaps(paths)
  } finally {
    for (const path of paths) await path.close()
  }
}

/** The same with the probe of its heap. */
function probed(variant: Variant): Variant {
  const options = `${variant.env?.NODE_OPTIONS ?? ''} --require ${probe}`.trim()
  return { ...variant, env: { ...variant.env, NODE_OPTIONS: options, PT_HEAP_FOLDER: folder } }
}

async function connectionCosts(paths: readonly Path[]): Promise<void> {
  const job = (connections: number): Job => ({ kind: 'connections', door, parallel: 16, count: connections })
  const costs = new Map<string, Costs[]>(paths.map(({ name }) => [name, []]))
  for (let done = 0; done < warmUpConnections; done += count)
    for (const { target } of paths) await order(load, { job: job(count), target })
  for (let round = 0; round < rounds; round++)
    for (const path of turned(paths, round)) {
      const start = cpuOf(path)
      await order(load, { job: job(count), target: path.target })
      const end = cpuOf(path)
      const each = (at: End): Cost => ({
        main: (end[at].main - start[at].main) / count,
        others: (end[at].others - start[at].others) / count,
      })
      costs.get(path.name)?.push({ server: each('server'), client: each('client') })
    }
  say(
    `load average ${loadavg()[0]?.toFixed(1)}, medians of ${rounds} rounds of ${count} connections (${door})\n`,
  )
  say('| CPU, us a connection | relay: main thread | helpers | agent: main thread | helpers | to the first |')
  say('|---|---|---|---|---|---|')
  const [first] = paths.map(({ name }) => costs.get(name) ?? [])
  for (const [name, list] of costs) {
    const of = (at: End, part: keyof Cost) => median(list.map((cost) => cost[at][part])).toFixed(1)
    const toFirst = (at: End) =>
      median(list.map((cost, round) => whole(cost[at]) / whole(first?.[round]?.[at] ?? cost[at]))).toFixed(3)
    const figures = (at: End) => `${of(at, 'main')} | ${of(at, 'others')}`
    say(
      `| ${name} | ${figures('server')} | ${figures('client')} | ${toFirst('server')}, ${toFirst('client')} |`,
    )
  }
}

function whole({ main: thread, others }: Cost): number {
  return thread + others
}

/** Another one begins in each round. */
function turned<T>(list: readonly T[], round: number): readonly T[] {
  const at = round % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

function cpuOf({ ends }: Path): Costs {
  return { server: cpuOfThreads(ends.server), client: cpuOfThreads(ends.client) }
}

async function heaps(paths: readonly Path[]): Promise<void> {
  say(`\n| heap of ${idle} idle visitors, KB each | relay | agent |\n|---|---|---|`)
  for (const path of paths) {
    const { target } = path
    await order(load, { job: { kind: 'hold', count: firstIdle }, target })
    const few = await heapOf(path)
    await order(load, { job: { kind: 'hold', count: idle }, target })
    const many = await heapOf(path)
    await order(load, { job: { kind: 'release' }, target })
    const each = (at: End) => ((many[at] - few[at]) / idle / 1_000).toFixed(2)
    say(`| ${path.name} | ${each('server')} | ${each('client')} |`)
  }
}

/** Bytes of live objects. */
async function heapOf({ ends }: Path): Promise<Readonly<Record<End, number>>> {
  await sleep(systemClock, settleMs)
  return { server: await heapOfProcesses(ends.server), client: await heapOfProcesses(ends.client) }
}

async function heapOfProcesses(pids: readonly number[]): Promise<number> {
  let bytes = 0
  for (const pid of pids) {
    const file = join(folder, String(pid))
    rmSync(file, { force: true })
    process.kill(pid, 'SIGURG')
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(systemClock, 50)
    bytes += Number(readFileSync(file, 'utf8'))
  }
  return bytes
}

try {
  await main()
} finally {
  await Promise.all([backend, load].map(stop))
  rmSync(folder, { recursive: true, force: true })
}

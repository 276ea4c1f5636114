/**
 * `npm run soak`: a real server with two relays and two agents under mixed load, with faults drawn from a seed, for
 * half an hour. Fails when a byte is lost or wrong, when a visit is cut that no fault excuses, when memory, descriptors
 * or the delay of a loop rise, and when anything is still held after the last visitor has gone.
 *
 *   npm run soak -- --minutes 30 --seed 7
 *   npm run soak -- --minutes 5 --calm          the load alone, without faults
 *   npm run soak -- --minutes 20 --restarts     restarts of both relays and no other fault
 */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { loadavg } from 'node:os'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { limits } from '@porttunneler/shared/protocol/limits'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { z } from 'zod'
import { eventually } from '../harness/events.ts'
import { missingOf, sayMissing } from '../harness/installed.ts'
import { readOptions } from '../harness/options.ts'
import { commit, drawFaults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { Dials, describeLeft } from './left.ts'
import { Load } from './load.ts'
import { descriptorsOf, figureNames, metricsOf, Samples } from './samples.ts'
import { openWorld, untilServed, type World } from './world.ts'

const values = readOptions({
  name: 'soak',
  what: 'A real server with two relays and two agents under mixed load, with faults drawn from a seed.',
  takes: 'Takes as long as it is told and a minute more; needs root and ss.',
  options: {
    minutes: { type: 'string', default: '30', value: 'number', says: 'how long' },
    seed: {
      type: 'string',
      value: 'number',
      says: 'repeats the faults; drawn by default',
    },
    calm: { type: 'boolean', default: false, says: 'the load alone, without faults' },
    restarts: { type: 'boolean', default: false, says: 'restarts of both relays and no other fault' },
  },
})
const minutes = z.coerce.number().positive().max(10_000).parse(values.minutes)
const seed = z.coerce
  .number()
  .int()
  .min(0)
  .parse(values.seed ?? randomInt(1_000_000))

/** Relays restart in the first part. Slopes are judged after the second part, which is for warming up. */
const restartShare = 0.2
const warmShare = 0.3
/** The last fault may have killed an agent: relays keep its session, and its visitors, for the grace of a resume. */
const quietMs = limits.resumeGraceMs + 60_000
/** For a running sync, or a connection kept by the control plane's client. */
const slack = 4
/** Credit of visitors that left in a hurry may still be on its way back; nothing else is. */
const slabsAtRest = 3

/** Then visitors wait for this machine and for nobody else. */
const starved = ': the machine is too busy for what visitors say to count'

const startMs = systemClock.monotonic()
const say = (line: string) => process.stdout.write(`${line}\n`)
const stamp = () => `${((systemClock.monotonic() - startMs) / 1_000).toFixed(0).padStart(5)} s`

async function main(): Promise<boolean> {
  // `ss -K` needs root, and a kernel that can end a socket from outside.
  const missing = missingOf(['ss', 'namespaces'])
  if (missing.length > 0) {
    say(`left out: soak: ${sayMissing(missing)}`)
    return process.env.CI !== 'true'
  }
  say(`seed ${seed}, ${minutes} minutes, load average ${loadavg()[0]?.toFixed(1)}`)
  const world = await openWorld()
  try {
    await untilServed(world)
    return await soak(world)
  } finally {
    await world.close()
  }
}

async function soak(world: World): Promise<boolean> {
  const ledger = new Ledger()
  const dials = new Dials()
  const samples = new Samples(world)
  const random = seededRandom(seed + 1)
  const before = await holdings(world)
  const spanMs = minutes * 60_000
  const fromMs = systemClock.monotonic()
  const sinceMs = () => systemClock.monotonic() - fromMs
  const busy = cpuSeconds()
  const loads = (['a', 'b'] as const).map(
    (side) => new Load(side, { doors: world.parties[side].doors, ledger, random }),
  )
  const everyMs = Math.max(1_000, Math.min(5_000, spanMs / 100))
  const sampling = systemClock.every(everyMs, () => void samples.take())
  try {
    if (values.calm) await sleep(systemClock, spanMs)
    else await breakThings(world, ledger, () => sinceMs() / spanMs)
  } finally {
    sampling.clear()
    const cores = (cpuSeconds() - busy) / (sinceMs() / 1_000)
    say(
      `\n${stamp()} the load kept ${cores.toFixed(2)} cores of this machine busy, with whatever else runs on it`,
    )
    const turns = loads.map((load) => load.turnShare)
    await Promise.all(loads.map((load) => load.stop()))
    const share = Math.round(100 * Math.min(...turns))
    say(`${stamp()} the visitors' own loop had ${share} % of its turns${share < 50 ? starved : ''}`)
  }
  return judge({ world, ledger, dials, samples, before, warmMs: fromMs + spanMs * warmShare })
}

async function breakThings(world: World, ledger: Ledger, share: () => number): Promise<void> {
  const mayRestart = () => share() < restartShare
  let known = 0
  for (const fault of drawFaults(seed, { mayRestart, isAllRestarts: values.restarts === true })) {
    const leftMs = minutes * 60_000 * (1 - share())
    await sleep(systemClock, Math.max(0, Math.min(fault.pauseMs, leftMs)))
    if (leftMs < fault.pauseMs) return
    try {
      say(`${stamp()} ${await commit(fault, world, ledger)}`)
    } catch (error) {
      ledger.fail(`no recovery from ${fault.name}: ${error}`)
      return
    }
    if (ledger.failed > known) say(`${stamp()} failures so far: ${ledger.failed}`)
    for (const failure of ledger.failures.slice(known)) say(`  ${failure}`)
    known = ledger.failed
  }
}

type Holdings = Readonly<Record<string, number>>

async function judge(run: {
  readonly world: World
  readonly ledger: Ledger
  readonly dials: Dials
  readonly samples: Samples
  readonly before: Holdings
  readonly warmMs: number
}): Promise<boolean> {
  const { world, ledger, samples, before } = run
  say('\n| visits | whole | cut, excused | MiB |\n|---|---|---|---|')
  for (const [kind, { whole, cut, bytes }] of ledger.counts)
    say(`| ${kind} | ${whole} | ${cut} | ${(bytes / 1024 ** 2).toFixed(0)} |`)
  const row = (cells: readonly string[]) => say(`| ${cells.join(' | ')} |`)
  say('')
  row(['process', ...figureNames])
  row(['---', '---', '---', '---'])
  const risen = samples.judge(run.warmMs, row)
  const left = await leftovers(world, before)
  if (left.length > 0) {
    const { a, b } = world.parties
    say('\nleft at the doors:')
    for (const line of describeLeft(run.dials, { a: a.doors, b: b.doors })) say(line)
  }
  const complaints = [...ledger.failures, ...risen, ...left]
  for (const complaint of complaints) say(`FAILED: ${complaint}`)
  if (ledger.failed > ledger.failures.length) say(`... of ${ledger.failed} failed visits in all`)
  if (complaints.length === 0) say(`ok, seed ${seed}`)
  return complaints.length === 0
}

/** What is still held some time after the last visitor left. */
async function leftovers(world: World, before: Holdings): Promise<readonly string[]> {
  let said: readonly string[] = []
  const compare = async () => {
    const now = await holdings(world)
    said = Object.entries(now).flatMap(([what, count]) => {
      const limit = what.includes('slabs')
        ? slabsAtRest
        : (before[what] ?? 0) + (what.includes('descriptors') ? slack : 0)
      return count > limit
        ? [`${what} after the last visitor: ${count}, before the first ${before[what]}`]
        : []
    })
    return said.length === 0 || undefined
  }
  try {
    await eventually('all is given back', compare, quietMs)
    const text = Object.entries(await holdings(world)).map(
      ([what, count]) => `${what} ${before[what]} to ${count}`,
    )
    say(`\nheld before and after: ${text.join(', ')}`)
    return []
  } catch {
    return said
  }
}

async function holdings(world: World): Promise<Holdings> {
  const { a } = world.parties
  const all: Record<string, number> = { 'descriptors of agent a': descriptorsOf(a.agent.program.pid) }
  for (const { name, pid, adminPort } of world.relays()) {
    const metrics = await metricsOf(adminPort)
    all[`descriptors of ${name}`] = descriptorsOf(pid)
    all[`visitors of ${name}`] = metrics.get('ptun_visitor_sockets') ?? Number.NaN
    all[`held bytes of ${name}`] = metrics.get('ptun_held_bytes') ?? Number.NaN
    all[`slabs of ${name}`] = metrics.get('ptun_slabs_held') ?? Number.NaN
  }
  return all
}

/** CPU time of the whole machine so far. */
function cpuSeconds(): number {
  const said = spawnSync('head', ['-1', '/proc/stat'], { encoding: 'utf8' }).stdout
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = said
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq) / 100
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
process.exit((await main()) ? 0 : 1)

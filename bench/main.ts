/**
 * `npm run bench` and `npm run bench:peers`: the same visitors and the same backend, several ways between them, taken
 * in turn within one run so that whatever else the machine does falls on all of them alike. Everything is on loopback:
 * what is measured is the software, not a network. Prints medians and keeps the raw samples in bench/results.
 *
 *   npm run bench -- --rounds 5 --scale 2 --only "bulk|ping" --without "ssh -R" --idle 10000
 */
import { type ChildProcess, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { type MemorySample, measureMemory } from './memory.ts'
import { order } from './order.ts'
import { type Backend, direct, type Path, type PathMaker } from './path.ts'
import { ptun } from './path-ptun.ts'
import { peerMakers, ssh } from './peers/all.ts'
import { cpuSeconds, forkProgram, nextMessage, stop } from './processes.ts'
import { memoryTable, type Sample, scenarioTables } from './report.ts'
import { makeScenarios, type Outcome, type Scenario } from './scenarios.ts'

const backendSchema = z.object({ tcpPort: z.int(), httpPort: z.int() })
/** Memory hardly varies, and every sample starts both ends afresh. */
const memoryRounds = 3
/** What runs beside a measurement has come up to speed. */
const besideLeadMs = 300

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    /** Names of scenarios; `memory` is one. */
    only: { type: 'string', default: '' },
    /** Names of ways. */
    without: { type: 'string', multiple: true, default: [] },
    idle: { type: 'string', default: '1000' },
    peers: { type: 'boolean', default: false },
  },
})

type Harness = {
  readonly backend: ChildProcess
  readonly load: ChildProcess
  readonly beside: ChildProcess
  readonly ports: Backend
}

const say = (line: string) => process.stdout.write(`${line}\n`)
const isWanted = (name: string) => !options.without.includes(name)

async function main(): Promise<void> {
  const rounds = z.coerce.number().int().min(1).max(100).parse(options.rounds)
  const scale = z.coerce.number().positive().max(100).parse(options.scale)
  const visitors = z.coerce.number().int().min(1).max(50_000).parse(options.idle)
  const wanted = new RegExp(options.only)
  const scenarios = makeScenarios(scale).filter(({ name }) => wanted.test(name))
  const makers = await wantedMakers()
  const backend = forkProgram(new URL('backend.ts', import.meta.url))
  const load = forkProgram(new URL('load.ts', import.meta.url))
  const beside = forkProgram(new URL('load.ts', import.meta.url))
  try {
    const ports = backendSchema.parse(await nextMessage(backend))
    const harness = { backend, load, beside, ports }
    const samples = scenarios.length > 0 ? await measureAll(makers, scenarios, { rounds, harness }) : []
    const memory = wanted.test('memory')
      ? await measureMemories(makers, { rounds: Math.min(rounds, memoryRounds), visitors, harness })
      : []
    const names = makers.map(({ name }) => name)
    if (samples.length > 0) say(`\n${scenarioTables(samples, scenarios, names)}`)
    if (memory.length > 0) say(`\n${memoryTable(memory)}`)
    say(`\nMedians of ${rounds}; "ptun :" above 1 means that ptun is better, CPU below 1 that it takes less.`)
    say('CPU is of both ends; "harness" is the load generator and the backend, in the same unit.')
    say(`Raw: ${keep({ samples, memory })}`)
  } finally {
    await Promise.all([backend, load, beside].map(stop))
  }
}

async function wantedMakers(): Promise<readonly PathMaker[]> {
  const own = [direct, ptun].filter(({ name }) => isWanted(name))
  if (options.peers) return [...own, ...(await peerMakers(isWanted, say))]
  return isWanted(ssh.name) ? [...own, ssh] : own
}

/** All ways open at once, all scenarios in each round. A round before the first, for compilers, is not kept. */
async function measureAll(
  makers: readonly PathMaker[],
  scenarios: readonly Scenario[],
  { rounds, harness }: { readonly rounds: number; readonly harness: Harness },
): Promise<readonly Sample[]> {
  const paths: Path[] = []
  const samples: Sample[] = []
  try {
    for (const maker of makers) {
      try {
        paths.push(await maker.open(harness.ports))
      } catch (error) {
        if (maker === ptun || maker === direct) throw error
        say(`${maker.name} is left out: ${messageOf(error)}`)
      }
    }
    for (let round = 0; round <= rounds; round++) {
      const load = `load average ${loadavg()[0]?.toFixed(1)}`
      say(round === 0 ? `warming up, ${load}` : `round ${round} of ${rounds}, ${load}`)
      for (const scenario of scenarios)
        for (const path of paths) {
          const sample = await measure(harness, scenario, path)
          if (sample && round > 0) samples.push(sample)
        }
    }
    return samples
  } finally {
    for (const path of paths) await path.close()
  }
}

/** Undefined when the way has no such door, or failed: then it is said, and has no sample in this round. */
async function measure(harness: Harness, scenario: Scenario, path: Path): Promise<Sample | undefined> {
  const { job, beside } = scenario
  const { target } = path
  if ('door' in job && target[job.door] === undefined) return undefined
  const ends = [...path.ends.server, ...path.ends.client]
  const own = [harness.backend, harness.load, harness.beside].flatMap(({ pid }) => pid ?? [])
  try {
    const background = beside && order(harness.beside, { job: beside, target })
    background?.catch(() => undefined)
    if (beside) await sleep(systemClock, besideLeadMs)
    const before = { ends: cpuSeconds(ends), own: cpuSeconds(own) }
    const outcome = await order(harness.load, { job, target })
    const cpu = {
      cpuSeconds: cpuSeconds(ends) - before.ends,
      harnessCpuSeconds: cpuSeconds(own) - before.own,
    }
    await background
    return { scenario: scenario.name, path: path.name, ...rounded({ ...cpu, ...outcome }) }
  } catch (error) {
    say(`${scenario.name} by ${path.name} failed: ${messageOf(error)}`)
    if (path.name === ptun.name) throw error
    return undefined
  }
}

async function measureMemories(
  makers: readonly PathMaker[],
  {
    rounds,
    visitors,
    harness,
  }: { readonly rounds: number; readonly visitors: number; readonly harness: Harness },
): Promise<readonly MemorySample[]> {
  const samples: MemorySample[] = []
  const { load, ports: backend } = harness
  for (let round = 1; round <= rounds; round++) {
    say(`memory, round ${round} of ${rounds}`)
    for (const maker of makers) {
      if (maker === direct) continue
      try {
        samples.push(rounded(await measureMemory(maker, { backend, load, visitors })))
      } catch (error) {
        say(`memory of ${maker.name} is left out: ${messageOf(error)}`)
        await order(load, { job: { kind: 'release' }, target: (await direct.open(backend)).target })
      }
    }
  }
  return samples
}

/** Five digits are more than the measurement is worth, and keep the raw file readable. */
function rounded<T extends Outcome | MemorySample>(sample: T): T {
  const digits = (_name: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(5)) : value
  return JSON.parse(JSON.stringify(sample, digits))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Writes the raw samples with what they were taken on; returns the file's path. */
function keep(samples: {
  readonly samples: readonly Sample[]
  readonly memory: readonly MemorySample[]
}): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const folder = fileURLToPath(new URL('results/', import.meta.url))
  const at = new Date(systemClock.now()).toISOString()
  const file = `${folder}${at.slice(0, 19).replaceAll(':', '')}-${commit}.json`
  mkdirSync(folder, { recursive: true })
  const [cpu] = cpus()
  const machine = {
    cpu: cpu?.model,
    cores: cpus().length,
    node: process.version,
    system: process.platform,
    loadAverage: loadavg(),
  }
  writeFileSync(file, `${JSON.stringify({ at, commit, machine, options, ...samples }, null, 1)}\n`)
  return file
}

await main()

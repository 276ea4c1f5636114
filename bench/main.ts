/**
 * `npm run bench`: the same visitors, the same backend, three ways between them, taken in turn within one run so that
 * whatever else the machine does falls on all of them alike. Everything is on loopback: what is measured is the
 * software, not a network. Prints a table of medians and keeps the raw samples in bench/results.
 *
 *   npm run bench -- --rounds 5 --scale 2 --only "bulk|ping" --without ssh
 */
import { type ChildProcess, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { type Backend, directPath, type Path } from './path.ts'
import { openPtunPath } from './path-ptun.ts'
import { openSshPath } from './path-ssh.ts'
import { cpuSeconds, forkProgram, nextMessage, stop } from './processes.ts'
import { type Sample, table } from './report.ts'
import { makeScenarios, type Outcome, replySchema, type Scenario } from './scenarios.ts'

const backendSchema = z.object({ tcpPort: z.int(), httpPort: z.int() })

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    without: { type: 'string', multiple: true, default: [] },
  },
})

const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  const rounds = z.coerce.number().int().min(1).max(100).parse(options.rounds)
  const scale = z.coerce.number().positive().max(100).parse(options.scale)
  const wanted = new RegExp(options.only)
  const scenarios = makeScenarios(scale).filter(({ name }) => wanted.test(name))
  const backend = forkProgram(new URL('backend.ts', import.meta.url))
  const load = forkProgram(new URL('load.ts', import.meta.url))
  let paths: readonly Path[] = []
  try {
    paths = await openPaths(backendSchema.parse(await nextMessage(backend)))
    const samples: Sample[] = []
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`)
      for (const scenario of scenarios)
        for (const path of paths) samples.push(await measure(load, scenario, path))
    }
    say(
      `\n${table(
        samples,
        scenarios,
        paths.map(({ name }) => name),
      )}\n`,
    )
    say(`Medians of ${rounds}; ${explanation}`)
    say(`Raw: ${keep(samples)}`)
  } finally {
    for (const path of paths) await path.close()
    await Promise.all([stop(backend), stop(load)])
  }
}

const explanation =
  'a ratio above 1 means that ptun is better; CPU is seconds a GiB (bulk) or a million exchanges of both ends.'

async function openPaths(backend: Backend): Promise<readonly Path[]> {
  const paths = [directPath(backend)]
  if (!options.without.includes('ptun')) paths.push(await openPtunPath(backend))
  if (!options.without.includes('ssh')) {
    try {
      paths.push(await openSshPath(backend))
    } catch (error) {
      say(`ssh -R is left out: ${error instanceof Error ? error.message : error}`)
    }
  }
  return paths
}

async function measure(load: ChildProcess, scenario: Scenario, path: Path): Promise<Sample> {
  const before = cpuSeconds(path.pids)
  load.send({ job: scenario.job, target: path.target })
  const reply = replySchema.parse(await nextMessage(load))
  if ('error' in reply) throw new Error(`${scenario.name} by ${path.name}: ${reply.error}`)
  const cpu = path.pids.length > 0 ? cpuSeconds(path.pids) - before : 0
  return { scenario: scenario.name, path: path.name, cpuSeconds: cpu, ...rounded(reply.outcome) }
}

/** Five digits are more than the measurement is worth, and keep the raw file readable. */
function rounded(outcome: Outcome): Outcome {
  const digits = (_name: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(5)) : value
  return JSON.parse(JSON.stringify(outcome, digits))
}

/** Writes the raw samples with what they were taken on; returns the file's path. */
function keep(samples: readonly Sample[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const folder = fileURLToPath(new URL('results/', import.meta.url))
  const at = new Date(systemClock.now()).toISOString()
  const file = `${folder}${at.slice(0, 19).replaceAll(':', '')}-${commit}.json`
  mkdirSync(folder, { recursive: true })
  const [cpu] = cpus()
  const machine = { cpu: cpu?.model, cores: cpus().length, node: process.version, system: process.platform }
  writeFileSync(file, `${JSON.stringify({ at, commit, machine, samples }, null, 1)}\n`)
  return file
}

await main()

/**
 * `npm run bench` and `npm run bench:peers`: the same visitors and the same backend, several ways between them, taken
 * in turn within one run so that whatever else the machine does falls on all of them alike. Everything is on loopback:
 * what is measured is the software, not a network. Prints medians and keeps the raw samples in bench/results.
 *
 *   npm run bench -- --rounds 5 --scale 2 --only "bulk|ping" --without "ssh -R" --idle 10000
 *   npm run bench -- --against ../other-checkout --variant "no pool=--v8-pool-size=0" --raw figures.json
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { measureAll, measureMemories, type Plan } from './measure.ts'
import type { MemorySample } from './memory.ts'
import { direct, type PathMaker } from './path.ts'
import { ptun, ptunAs } from './path-ptun.ts'
import { peerMakers, ssh } from './peers/all.ts'
import { forkProgram, nextMessage, stop } from './processes.ts'
import { memoryTable, type Sample, scenarioTables } from './report.ts'
import { makeScenarios } from './scenarios.ts'
import { variantOf } from './variants.ts'

const backendSchema = z.object({ tcpPort: z.int(), httpPort: z.int() })
/** Memory hardly varies, and every sample starts both ends afresh. */
const memoryRounds = 3

const options = readOptions({
  name: 'bench',
  what: 'The same visitors and backend over ptun, a direct connection and other tools, taken in turn in one run.',
  takes: 'Takes about 15 minutes, with --peers twice as long; the raw samples stay in bench/results.',
  options: {
    rounds: { type: 'string', default: '5', value: 'number', says: 'of each scenario; medians are printed' },
    cold: { type: 'string', default: '1', value: 'number', says: 'of these rounds, in fresh processes too' },
    'warm-up': { type: 'string', default: '1000', value: 'ms', says: 'of each way at each job beforehand' },
    scale: { type: 'string', default: '1', value: 'factor', says: 'makes every scenario longer or shorter' },
    only: {
      type: 'string',
      default: '',
      value: 'pattern',
      says: `scenarios that match: ${['memory', ...makeScenarios(1).map(({ name }) => name)].join('; ')}`,
    },
    without: {
      type: 'string',
      multiple: true,
      default: [],
      value: 'way',
      says: 'leaves a way out, as "ssh -R"; may be repeated',
    },
    idle: { type: 'string', default: '1000', value: 'number', says: 'idle visitors when memory is taken' },
    peers: { type: 'boolean', default: false, says: 'the tools of our kind too, where installed' },
    against: { type: 'string', value: 'folder', says: 'another checkout that was built: the way "before"' },
    variant: {
      type: 'string',
      multiple: true,
      default: [],
      value: 'name=options',
      says: 'ptun with options for Node at both ends; may be repeated',
    },
    raw: { type: 'string', value: 'file', says: 'where the raw samples go instead' },
  },
})

const say = (line: string) => process.stdout.write(`${line}\n`)
const isWanted = (name: string) => !options.without.includes(name)

async function main(): Promise<void> {
  const rounds = z.coerce.number().int().min(1).max(100).parse(options.rounds)
  const scale = z.coerce.number().positive().max(100).parse(options.scale)
  const visitors = z.coerce.number().int().min(1).max(50_000).parse(options.idle)
  const coldRounds = z.coerce.number().int().min(0).max(100).parse(options.cold)
  const warmUpMs = z.coerce.number().int().min(0).max(60_000).parse(options['warm-up'])
  const wanted = new RegExp(options.only)
  const scenarios = makeScenarios(scale).filter(({ name }) => wanted.test(name))
  const makers = await wantedMakers()
  const backend = forkProgram(new URL('backend.ts', import.meta.url))
  const load = forkProgram(new URL('load.ts', import.meta.url))
  const beside = forkProgram(new URL('load.ts', import.meta.url))
  try {
    const ports = backendSchema.parse(await nextMessage(backend))
    const plan: Plan = { rounds, coldRounds, warmUpMs, harness: { backend, load, beside, ports }, say }
    const samples = scenarios.length > 0 ? await measureAll(makers, scenarios, plan) : []
    const memory = wanted.test('memory')
      ? await measureMemories(makers, { rounds: Math.min(rounds, memoryRounds), visitors, plan })
      : []
    const names = makers.map(({ name }) => name)
    if (samples.length > 0) say(`\n${scenarioTables(samples, scenarios, names)}`)
    if (memory.length > 0) say(`\n${memoryTable(memory)}`)
    say(`\nMedians of ${rounds}; "ptun :" above 1 means that ptun is better, CPU below 1 that it takes less.`)
    say(
      `"cold" is the first of what a way does in its life, the rest comes after ${warmUpMs} ms of the same.`,
    )
    say('CPU is of both ends; "x haproxy" is how many of its single hops that is.')
    say('"harness" is the load generator and the backend, in the same unit.')
    say(`Raw: ${keep({ samples, memory })}`)
  } finally {
    await Promise.all([backend, load, beside].map(stop))
  }
}

async function wantedMakers(): Promise<readonly PathMaker[]> {
  const variants = options.variant.map((text) => ptunAs(variantOf(text)))
  const before = options.against ? [ptunAs({ name: 'before', folder: resolve(options.against) })] : []
  const own = [direct, ptun, ...before, ...variants].filter(({ name }) => isWanted(name))
  if (options.peers) return [...own, ...(await peerMakers(isWanted, say))]
  return isWanted(ssh.name) ? [...own, ssh] : own
}

/** Writes the raw samples with what they were taken on; returns the file's path. */
function keep(samples: {
  readonly samples: readonly Sample[]
  readonly memory: readonly MemorySample[]
}): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const at = new Date(systemClock.now()).toISOString()
  const usual = fileURLToPath(
    new URL(`results/${at.slice(0, 19).replaceAll(':', '')}-${commit}.json`, import.meta.url),
  )
  const file = options.raw === undefined ? usual : resolve(options.raw)
  mkdirSync(dirname(file), { recursive: true })
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

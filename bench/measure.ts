/**
 * Measures, and orders the measurements: warm ones use ways that stay open for the whole run, each after a warm-up of
 * the same job; cold ones use processes that were started only for them. Within a round all ways take their turn.
 */
import type { ChildProcess } from 'node:child_process'
import { loadavg } from 'node:os'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { type MemorySample, measureMemory } from './memory.ts'
import { order } from './order.ts'
import { type Backend, direct, type Path, type PathMaker } from './path.ts'
import { cpuSeconds } from './processes.ts'
import { ours, type Sample } from './report.ts'
import type { Job, Outcome, Scenario, Target } from './scenarios.ts'

export type Harness = {
  readonly backend: ChildProcess
  readonly load: ChildProcess
  readonly beside: ChildProcess
  readonly ports: Backend
}

export type Plan = {
  readonly rounds: number
  /** In this many rounds everything is also measured in fresh processes. */
  readonly coldRounds: number
  /** For how long a way does a job before it is measured. */
  readonly warmUpMs: number
  readonly harness: Harness
  say(line: string): void
}

/** After this time the job beside a measurement has come up to speed. */
const besideLeadMs = 300

/** All ways are open at once, and all scenarios run in each round. An extra first round, for compilers, is not kept. */
export async function measureAll(
  makers: readonly PathMaker[],
  scenarios: readonly Scenario[],
  plan: Plan,
): Promise<readonly Sample[]> {
  const { rounds, coldRounds, say } = plan
  const paths: Path[] = []
  const samples: Sample[] = []
  try {
    for (const maker of makers) {
      const path = await opened(maker, plan)
      if (path) paths.push(path)
    }
    const usable = makers.filter(({ name }) => paths.some((path) => path.name === name))
    for (let round = 0; round <= rounds; round++) {
      const load = `load average ${loadavg()[0]?.toFixed(1)}`
      say(round === 0 ? `warming up, ${load}` : `round ${round} of ${rounds}, ${load}`)
      for (const scenario of scenarios) {
        for (const path of paths) {
          const sample = await warmSample(plan, scenario, path)
          if (sample && round > 0) samples.push(sample)
        }
        if (round > 0 && round <= coldRounds) samples.push(...(await coldSamples(plan, scenario, usable)))
      }
    }
    return samples
  } finally {
    for (const path of paths) await path.close()
  }
}

/** undefined when the way cannot be opened here, which is printed. */
async function opened(maker: PathMaker, { harness, say }: Plan): Promise<Path | undefined> {
  try {
    return await maker.open(harness.ports)
  } catch (error) {
    if (maker.name === ours || maker === direct) throw error
    say(`${maker.name} is left out: ${messageOf(error)}`)
    return undefined
  }
}

async function warmSample(plan: Plan, scenario: Scenario, path: Path): Promise<Sample | undefined> {
  if (!hasDoor(scenario, path)) return undefined
  return await unlessItFails(plan, { scenario, path: path.name }, async () => {
    await warmUp(scenario.job, plan.warmUpMs, (job) => order(plan.harness.load, { job, target: path.target }))
    return await measure(plan.harness, scenario, path)
  })
}

/** Each way is opened, measured at once and closed again. */
async function coldSamples(
  plan: Plan,
  scenario: Scenario,
  makers: readonly PathMaker[],
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (const maker of makers) {
    // A way without a process cannot be cold.
    if (maker === direct) continue
    const path = await opened(maker, plan)
    try {
      if (path === undefined || !hasDoor(scenario, path)) continue
      const measured = () => measure(plan.harness, scenario, path)
      const sample = await unlessItFails(plan, { scenario, path: path.name }, measured)
      if (sample) samples.push({ ...sample, isCold: true })
    } finally {
      await path?.close()
    }
  }
  return samples
}

function hasDoor({ job }: Scenario, { target }: Path): boolean {
  const door = 'door' in job ? job.door : undefined
  return door === undefined || target[door] !== undefined
}

/** undefined when the way failed: this is printed, and it has no sample in this round. */
async function unlessItFails(
  { say }: Plan,
  { scenario, path }: { readonly scenario: Scenario; readonly path: string },
  measured: () => Promise<Sample>,
): Promise<Sample | undefined> {
  try {
    return await measured()
  } catch (error) {
    say(`${scenario.name} by ${path} failed: ${messageOf(error)}`)
    if (path === ours) throw error
    return undefined
  }
}

/** Does the job, whole or for the rest of the time, until `ms` have passed. */
export async function warmUp(
  job: Job,
  ms: number,
  run: (job: Job) => Promise<unknown>,
  nowMs: () => number = () => performance.now(),
): Promise<void> {
  const untilMs = nowMs() + ms
  for (let leftMs = ms; leftMs > 0; leftMs = untilMs - nowMs())
    await run('ms' in job ? { ...job, ms: Math.max(1, Math.min(job.ms, Math.round(leftMs))) } : job)
}

async function measure(harness: Harness, scenario: Scenario, path: Path): Promise<Sample> {
  const { job, beside } = scenario
  const { target } = path
  const ends = [...path.ends.server, ...path.ends.client]
  const own = [harness.backend, harness.load, harness.beside].flatMap(({ pid }) => pid ?? [])
  const background = beside && order(harness.beside, { job: beside, target })
  background?.catch(() => undefined)
  if (beside) await sleep(systemClock, besideLeadMs)
  const server = () => cpuSeconds(path.ends.server)
  const before = { ends: cpuSeconds(ends), own: cpuSeconds(own), server: server() }
  const outcome = await order(harness.load, { job, target })
  const cpu = {
    cpuSeconds: cpuSeconds(ends) - before.ends,
    harnessCpuSeconds: cpuSeconds(own) - before.own,
    serverCpuSeconds: server() - before.server,
  }
  const besideValue = (await background)?.value
  const sample = { ...cpu, ...outcome, ...(besideValue !== undefined && { besideValue }) }
  return { scenario: scenario.name, path: path.name, ...rounded(sample) }
}

export async function measureMemories(
  makers: readonly PathMaker[],
  { rounds, visitors, plan }: { readonly rounds: number; readonly visitors: number; readonly plan: Plan },
): Promise<readonly MemorySample[]> {
  const samples: MemorySample[] = []
  const { load, ports: backend } = plan.harness
  for (let round = 1; round <= rounds; round++) {
    plan.say(`memory, round ${round} of ${rounds}`)
    for (const maker of makers) {
      if (maker === direct) continue
      try {
        samples.push(rounded(await measureMemory(maker, { backend, load, visitors })))
      } catch (error) {
        plan.say(`memory of ${maker.name} is left out: ${messageOf(error)}`)
        await release(load, (await direct.open(backend)).target)
      }
    }
  }
  return samples
}

async function release(load: ChildProcess, target: Target): Promise<void> {
  await order(load, { job: { kind: 'release' }, target })
}

/** Keeps five digits: more is beyond the accuracy of the measurement and makes the raw file hard to read. */
function rounded<T extends Outcome | MemorySample>(sample: T): T {
  const digits = (_name: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(5)) : value
  return JSON.parse(JSON.stringify(sample, digits))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

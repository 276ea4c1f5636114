/** What each process of a soak holds, sampled every few seconds: memory, descriptors, and how late its loop runs. */
import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import type { Agent } from '../harness/agent.ts'
import { riseOf } from './slope.ts'
import type { World } from './world.ts'

export type Sample = {
  readonly atMs: number
  readonly rssMiB: number
  readonly descriptors: number
  /** p99 since the last sample; undefined for a process that does not report it. */
  readonly delayMs: number | undefined
}

/**
 * The C library's heap breathes: 16 MiB up and down again within half an hour, while V8's heap, its buffers and all
 * counted values stay the same (/proc/<pid>/smaps, four soaks of half an hour). A rise of this much in the judged part
 * of half an hour is 80 bytes for each visit; a stream that is not freed has thousands.
 */
const rssTolerance = 24

const figures = [
  { name: 'RSS, MiB', of: (sample: Sample) => sample.rssMiB, take: 'floor', tolerance: rssTolerance },
  { name: 'descriptors', of: (sample: Sample) => sample.descriptors, take: 'floor', tolerance: 4 },
  { name: 'loop delay p99, ms', of: (sample: Sample) => sample.delayMs, take: 'median', tolerance: 15 },
] as const

/** The page size of the Linux machines this runs on. */
const pageBytes = 4_096

/** Samples by process, which is a name and an id, so that a restarted process is another. */
export class Samples {
  readonly #series = new Map<string, Sample[]>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** A process that is just ending or starting is left out this time. */
  async take(): Promise<void> {
    const { server, parties } = this.#world
    await Promise.allSettled([
      this.#add('control plane', server.program.pid, async () => undefined),
      ...this.#world.relays().map(({ name, pid, adminPort }) =>
        this.#add(`relay ${name}`, pid, async () => {
          const lag = (await metricsOf(adminPort)).get('nodejs_eventloop_lag_p99_seconds')
          return lag === undefined ? undefined : lag * 1_000
        }),
      ),
      ...Object.entries(parties).map(([side, { agent }]) =>
        this.#add(`agent ${side}`, agent.program.pid, () => delayOf(agent)),
      ),
    ])
  }

  async #add(name: string, pid: number, readDelay: () => Promise<number | undefined>): Promise<void> {
    const delayMs = await readDelay()
    const series = this.#series.get(`${name}, ${pid}`) ?? []
    const atMs = systemClock.monotonic()
    series.push({ atMs, rssMiB: rssMiB(pid), descriptors: descriptorsOf(pid), delayMs })
    this.#series.set(`${name}, ${pid}`, series)
  }

  /** One row for each process that still runs. @returns what rose, in words */
  judge(fromMs: number, say: (row: readonly string[]) => void): readonly string[] {
    const risen: string[] = []
    const living = this.#living()
    for (const [name, samples] of this.#series) {
      if (!living.has(name)) continue
      const cells = figures.map(({ name: figure, of, take, tolerance }) => {
        const points = samples
          .filter(({ atMs }) => atMs >= fromMs)
          .flatMap((sample) => {
            const value = of(sample)
            return value === undefined ? [] : [{ atMs: sample.atMs, value }]
          })
        const last = points.at(-1)?.value
        if (last === undefined) return '-'
        const rise = riseOf(points, take)
        if (rise === undefined) return `${last.toFixed(0)} (not judged)`
        if (rise.least > tolerance) risen.push(`${figure} of ${name} rises by ${rise.rise.toFixed(1)}`)
        return `${rise.mean.toFixed(0)} (${rise.rise < 0 ? '' : '+'}${rise.rise.toFixed(1)}, surely ${rise.least.toFixed(1)})`
      })
      say([name, ...cells])
    }
    return risen
  }

  /** The agent that is killed now and then never lives long enough. */
  #living(): ReadonlySet<string> {
    const { server, parties } = this.#world
    const relays = this.#world.relays().map(({ name, pid }) => `relay ${name}, ${pid}`)
    return new Set([
      `control plane, ${server.program.pid}`,
      `agent a, ${parties.a.agent.program.pid}`,
      ...relays,
    ])
  }
}

export const figureNames = figures.map(({ name, tolerance }) => `${name} (at most +${tolerance})`)

/** Series without labels, and those of active resources by type. */
export async function metricsOf(adminPort: number): Promise<ReadonlyMap<string, number>> {
  const signal = AbortSignal.timeout(5_000)
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`, { signal })).text()
  return new Map(
    text
      .split('\n')
      .flatMap((line) => [/^([a-z0-9_]+(?:\{type="\w+"\})?) ([-+.0-9e]+)$/i.exec(line)])
      .flatMap((found) => (found ? [[found[1] ?? '', Number(found[2])] as const] : [])),
  )
}

const resourcesSchema = z.looseObject({ delayP99Ms: z.number() })

async function delayOf(agent: Agent): Promise<number> {
  const from = agent.events.items.length
  agent.program.send('SIGUSR2')
  return resourcesSchema.parse(await agent.waitFor('resources', { from, deadlineMs: 5_000 })).delayP99Ms
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function rssMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return (pages * pageBytes) / 1024 ** 2
}

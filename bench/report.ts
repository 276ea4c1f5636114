/** Medians, and the output of a run: a block for each scenario, a line for each way. */
import type { MemorySample } from './memory.ts'
import type { Outcome, Scenario } from './scenarios.ts'

export type Sample = Outcome & {
  readonly scenario: string
  readonly path: string
  /** Measured in fresh processes. */
  readonly isCold?: boolean
  /** CPU time of both ends of the tunnel. */
  readonly cpuSeconds: number
  /** The part of the server's end; only in the raw samples. */
  readonly serverCpuSeconds?: number
  /** CPU time of load generator and backend, which is the same for every way. */
  readonly harnessCpuSeconds: number
  /** The rate of the download beside it, MB/s. */
  readonly besideValue?: number
}

type Line = {
  readonly path: string
  readonly value: number
  readonly p99Us: number
  readonly cpu: number
  readonly harnessCpu: number
  /** NaN without a job beside it. */
  readonly beside: number
  /** NaN without a measurement. */
  readonly cold: { readonly value: number; readonly p99Us: number; readonly cpu: number }
}

/** The way that all others are compared with. */
export const ours = 'ptun'
/** A hop without a tunnel, in the fastest language for it: a unit of CPU time that machines agree on. */
const hop = 'haproxy'

/** Ignores NaN. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

function lineOf(samples: readonly Sample[], scenario: Scenario, path: string): Line | undefined {
  const all = samples.filter((sample) => sample.scenario === scenario.name && sample.path === path)
  if (all.length === 0) return undefined
  const mine = all.filter(({ isCold = false }) => !isCold)
  const cold = all.filter(({ isCold = false }) => isCold)
  const of = (read: (sample: Sample) => number, from: readonly Sample[] = mine) => median(from.map(read))
  const cpu = (from: readonly Sample[]) => of((sample) => sample.cpuSeconds / workOf(sample, scenario), from)
  const p99Us = (from: readonly Sample[]) => of(({ p99Us = Number.NaN }) => p99Us, from)
  return {
    path,
    value: of(({ value }) => value),
    p99Us: p99Us(mine),
    cpu: cpu(mine),
    cold: { value: of(({ value }) => value, cold), p99Us: p99Us(cold), cpu: cpu(cold) },
    beside: of(({ besideValue = Number.NaN }) => besideValue),
    harnessCpu: of((sample) => sample.harnessCpuSeconds / workOf(sample, scenario)),
  }
}

/** GB moved, or hundreds of thousands of exchanges made. */
function workOf({ value, seconds }: Outcome, { unit }: Scenario): number {
  switch (unit) {
    case 'MB/s':
      return (value * seconds) / 1_000
    case 'us':
      return (seconds * 1e6) / value / 1e5
    default:
      return (value * seconds) / 1e5
  }
}

/** `ptun :` is above 1 where ptun is better. */
export function scenarioTables(
  samples: readonly Sample[],
  scenarios: readonly Scenario[],
  paths: readonly string[],
): string {
  const blocks = scenarios.flatMap((scenario) => {
    const lines = paths.flatMap((path) => lineOf(samples, scenario, path) ?? [])
    if (lines.length === 0) return []
    const mine = lines.find(({ path }) => path === ours)
    const oneHop = lines.find(({ path }) => path === hop)
    const work = scenario.unit === 'MB/s' ? 'GB' : '100k'
    const rates = [scenario.unit, 'ptun :', 'p99 us', 'cold', 'cold p99']
    const cpus = [`CPU s/${work}`, 'cold CPU', 'ptun CPU :', `x ${hop}`, 'harness']
    const beside = scenario.beside ? ['MB/s beside'] : []
    const head = [scenario.name, ...rates, ...cpus, ...beside]
    const rows = lines.map((line) => [
      line.path,
      number(line.value),
      mine ? times(scenario.unit === 'us' ? line.value / mine.value : mine.value / line.value) : '-',
      number(line.p99Us),
      number(line.cold.value),
      number(line.cold.p99Us),
      line.cpu > 0 ? number(line.cpu) : '-',
      line.cold.cpu > 0 ? number(line.cold.cpu) : '-',
      mine && line.cpu > 0 ? times(mine.cpu / line.cpu) : '-',
      oneHop && line.cpu > 0 ? times(line.cpu / oneHop.cpu) : '-',
      number(line.harnessCpu),
      ...beside.map(() => number(line.beside)),
    ])
    return [layOut([head, ...rows])]
  })
  return blocks.join('\n\n')
}

/** MB are a million bytes, KB a thousand. */
export function memoryTable(samples: readonly MemorySample[]): string {
  const paths = [...new Set(samples.map(({ path }) => path))]
  const visitors = samples[0]?.visitors ?? 0
  const head = [
    `memory, ${visitors} idle visitors`,
    'server MB',
    'client MB',
    'server KB each',
    'client KB each',
  ]
  const rows = paths.map((path) => {
    const mine = samples.filter((sample) => sample.path === path)
    const of = (read: (sample: MemorySample) => number) => number(median(mine.map(read)))
    return [
      path,
      of(({ server }) => server.restMB),
      of(({ client }) => client.restMB),
      of(({ server }) => server.idleVisitorKB),
      of(({ client }) => client.idleVisitorKB),
    ]
  })
  return layOut([head, ...rows])
}

function times(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : '-'
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}

/** Left column to the left, numbers to the right. */
function layOut(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n')
}

/** Medians and the table that a run prints. */
import type { Outcome, Scenario } from './scenarios.ts'

export type Sample = Outcome & {
  readonly scenario: string
  readonly path: string
  readonly cpuSeconds: number
}

type Cell = {
  readonly value: number
  readonly p99Us?: number
  /** CPU seconds a GiB (bulk) or a million exchanges (else) of the way's own processes; absent for direct. */
  readonly cpu?: number
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** One cell of the table out of all samples of a scenario and a way; undefined when nothing was measured. */
function cellOf(samples: readonly Sample[], scenario: Scenario, path: string): Cell | undefined {
  const mine = samples.filter((sample) => sample.scenario === scenario.name && sample.path === path)
  if (mine.length === 0) return undefined
  const tails = mine.flatMap(({ p99Us }) => (p99Us === undefined ? [] : [p99Us]))
  const cpus = mine.flatMap((sample) =>
    sample.cpuSeconds > 0 ? [sample.cpuSeconds / workOf(sample, scenario)] : [],
  )
  return {
    value: median(mine.map(({ value }) => value)),
    ...(tails.length > 0 ? { p99Us: median(tails) } : {}),
    ...(cpus.length > 0 ? { cpu: median(cpus) } : {}),
  }
}

/** GiB moved, or millions of exchanges made. */
function workOf({ value, seconds }: Outcome, { unit }: Scenario): number {
  switch (unit) {
    case 'MiB/s':
      return (value * seconds) / 1024
    case 'us':
      return seconds / value
    default:
      return (value * seconds) / 1e6
  }
}

/** The ratio that is above 1 when `mine` is better than `theirs`. */
function ratio(scenario: Scenario, mine: Cell, theirs: Cell): number {
  return scenario.unit === 'us' ? theirs.value / mine.value : mine.value / theirs.value
}

export function table(
  samples: readonly Sample[],
  scenarios: readonly Scenario[],
  paths: readonly string[],
): string {
  const others = paths.filter((path) => path !== 'ptun')
  const head = ['', ...paths, ...others.map((path) => `ptun : ${path}`), 'p99 ptun', 'CPU ptun', 'CPU ssh']
  const rows = scenarios.map((scenario) => {
    const cells = new Map(paths.map((path) => [path, cellOf(samples, scenario, path)]))
    const ptun = cells.get('ptun')
    return [
      `${scenario.name} (${scenario.unit})`,
      ...paths.map((path) => number(cells.get(path)?.value)),
      ...others.map((path) => {
        const other = cells.get(path)
        return ptun && other ? ratio(scenario, ptun, other).toFixed(2) : '-'
      }),
      ptun?.p99Us === undefined ? '-' : `${number(ptun.p99Us)} us`,
      number(ptun?.cpu),
      number(cells.get('ssh -R')?.cpu),
    ]
  })
  return layOut([head, ...rows])
}

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
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

import { expect, test } from 'vitest'
import { type Sample, scenarioTables } from './report.ts'
import { makeScenarios } from './scenarios.ts'

const scenarios = makeScenarios(1).filter(({ name }) => name === 'bulk down, 1 visitor')

function sample(path: string, value: number, more: Partial<Sample> = {}): Sample {
  const scenario = 'bulk down, 1 visitor'
  return { scenario, path, value, seconds: 1, cpuSeconds: value / 500, harnessCpuSeconds: 0.5, ...more }
}

/** Cells of the printed block by way and column. */
function cellsOf(samples: readonly Sample[], paths: readonly string[]) {
  const [head = [], ...rows] = scenarioTables(samples, scenarios, paths)
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
  return (path: string, column: string) => rows.find(([name]) => name === path)?.[head.indexOf(column)]
}

test('report: the first results of a way are separate from its warm ones', () => {
  const cold = { isCold: true, cpuSeconds: 1.2 }
  const cell = cellsOf(
    [sample('ptun', 1_000), sample('ptun', 1_200), sample('ptun', 300, cold), sample('ptun', 400, cold)],
    ['ptun'],
  )
  expect(cell('ptun', 'MB/s')).toBe('1,100')
  expect(cell('ptun', 'CPU s/GB')).toBe('2.00')
  expect(cell('ptun', 'cold')).toBe('350')
  expect(cell('ptun', 'cold CPU')).toBe('3.50')
})

test('report: CPU is shown as a multiple of HAProxy’s one hop where HAProxy was measured', () => {
  const haproxy = sample('haproxy', 1_000, { cpuSeconds: 0.8 })
  const cell = cellsOf([sample('ptun', 1_000), haproxy], ['ptun', 'haproxy'])
  expect(cell('ptun', 'x haproxy')).toBe('2.50')
  expect(cell('haproxy', 'x haproxy')).toBe('1.00')
  expect(cellsOf([sample('ptun', 1_000)], ['ptun'])('ptun', 'x haproxy')).toBe('-')
})

test('report: a way that has only cold samples has no warm figure', () => {
  const cell = cellsOf([sample('ptun', 1_000), sample('frp', 500, { isCold: true })], ['ptun', 'frp'])
  expect(cell('frp', 'MB/s')).toBe('-')
  expect(cell('frp', 'cold')).toBe('500')
})

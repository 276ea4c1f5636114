/** docs/metrics.md is what the code says, and a real relay has each metric that the dashboard and the rules name. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTestControl } from '@porttunneler/relay-vm/testing/test-control'
import { TestBench } from '@porttunneler/relay-vm/testing/test-relay'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { backupFigures } from './backup/figures.ts'
import { billingFigures } from './billing-figures.ts'
import { figuresName, writeFigures } from './figures.ts'
import { metricsPage, metricsPagePath } from './testing/metrics-page.ts'

const monitoring = join(import.meta.dirname, '../packaging/monitoring')
const rulesSchema = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^[A-Z]\w+$/),
          expr: z.string(),
          for: z
            .string()
            .regex(/^\d+[mh]$/)
            .optional(),
          labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.strictObject({ summary: z.string(), description: z.string() }),
        }),
      ),
    }),
  ),
})
const dashboardSchema = z.object({
  templating: z.object({ list: z.array(z.object({ query: z.unknown() })) }),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).min(1),
    }),
  ),
})

const rules = () => {
  const { groups } = rulesSchema.parse(parse(readFileSync(join(monitoring, 'prometheus-rules.yaml'), 'utf8')))
  return groups.flatMap((group) => group.rules)
}
const dashboard = () =>
  dashboardSchema.parse(JSON.parse(readFileSync(join(monitoring, 'grafana-dashboard.json'), 'utf8')))

let bench: TestBench
beforeEach(async () => {
  bench = await TestBench.make(await makeTestControl())
})
afterEach(() => bench.close())

/** Names and labels in the answer of a relay, beside figures of a control plane. */
async function scrape(): Promise<string> {
  const status = { folder: '', kept: 1, everyMs: 3_600_000, newestAt: 1, dueAt: 2, isOverdue: false }
  writeFigures(bench.dataDir, 'ptun_backup_', backupFigures(status))
  writeFigures(bench.dataDir, 'ptun_billing_', billingFigures(0))
  const host = '127.0.0.1'
  const admin = { port: 0, figures: join(bench.dataDir, figuresName) }
  const listen = { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host, admin }
  const { ports } = await bench.startRelay({ listen })
  return (await fetch(`http://127.0.0.1:${ports.adminPort}/metrics`)).text()
}

test('docs/metrics.md has every metric: npm run docs', async () => {
  expect(readFileSync(metricsPagePath, 'utf8')).toBe(await metricsPage())
})

test('a real relay has every metric that the dashboard and the rules name, and every label', async () => {
  const text = await scrape()
  // A metric with labels has no sample before it is used, but always its type.
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  )
  const exists = (name: string) => {
    const histogram = name.replace(/_(?:bucket|sum|count)$/, '')
    return types.has(name) || types.get(histogram) === 'histogram'
  }
  const expressions = [
    ...rules().map(({ expr }) => expr),
    ...dashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    JSON.stringify(dashboard().templating),
  ]
  const named = expressions.flatMap((expr) => expr.match(/\b(?:ptun|process|nodejs)_[a-z0-9_]+/g) ?? [])
  expect(new Set(named).size).toBeGreaterThan(25)
  expect(named.filter((name) => !exists(name))).toEqual([])
  const labels = expressions
    .flatMap((expr) => [...expr.matchAll(/by \(([\w, ]+)\)/g)].map(([, list = '']) => list.split(', ')))
    .flat()
  // Prometheus adds the instance, and a histogram has le.
  const page = readFileSync(metricsPagePath, 'utf8')
  for (const label of new Set(labels))
    expect(label === 'instance' || label === 'le' || page.includes(`\`${label}\``), label).toBe(true)
})

test('each alert has a name of its own and says what to do, and panels of the dashboard do not overlap', () => {
  const names = rules().map(({ alert }) => alert)
  expect(new Set(names).size).toBe(names.length)
  for (const { annotations } of rules()) expect(annotations.description.length).toBeGreaterThan(20)
  const { panels } = dashboard()
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  for (const [index, { gridPos: a }] of panels.entries())
    for (const { gridPos: b, title } of panels.slice(index + 1))
      expect(a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h, title).toBe(false)
})

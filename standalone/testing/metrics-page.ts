/** Makes docs/metrics.md from the metrics themselves; `npm run docs` runs it, and metrics.test.ts compares. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Meters } from '@porttunneler/relay-vm/meters/meters'
import { makeMetrics } from '@porttunneler/relay-vm/meters/registry'
import { backupFigures } from '../backup/figures.ts'
import { billingFigures } from '../billing-figures.ts'

export const metricsPagePath = join(import.meta.dirname, '../../docs/metrics.md')

type Row = {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** The metrics of a relay that are ours; Node.js's own are left out. */
async function relayRows(): Promise<readonly Row[]> {
  const none = () => 0
  const { registry } = makeMetrics({
    meters: new Meters(),
    sessions: none,
    visitors: none,
    strangers: none,
    isShortOfMemory: () => false,
    held: none,
    usageRows: none,
    usageDropped: none,
    usageRefused: none,
    eventsDropped: none,
    connectionsDropped: none,
    diskFailures: none,
    isDiskFailing: () => false,
    syncFailures: none,
    clockAheadMs: none,
  })
  const described = await registry.getMetricsAsJSON()
  const rows = described.map(({ name, help, type }) => ({
    name,
    help,
    type: String(type),
    labels: labelsOf(registry.getSingleMetric(name)),
  }))
  registry.clear()
  return rows.filter(({ name }) => name.startsWith('ptun_')).toSorted((a, b) => a.name.localeCompare(b.name))
}

function labelsOf(metric: unknown): readonly string[] {
  const names =
    typeof metric === 'object' && metric !== null && 'labelNames' in metric ? metric.labelNames : []
  return Array.isArray(names) ? names.map(String) : []
}

/** The control plane's, which the first relay of a machine adds to its own. */
function figureRows(): readonly Row[] {
  const status = { folder: '', kept: 0, everyMs: 1, dueAt: 0, isOverdue: false }
  return [...backupFigures(status), ...billingFigures(0)].map(([name, help]) => ({
    name,
    help,
    type: 'gauge',
    labels: [],
  }))
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ name, type, labels, help }) => {
    const shown = labels.length === 0 ? '' : labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`
  })
  return ['| metric | type | labels | |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

export async function metricsPage(): Promise<string> {
  return `# Metrics

Each relay has figures for Prometheus at \`/metrics\` of its private port: \`listen.admin\` of [a relay](relay.md),
\`ports.metrics\` of [a standalone server](operations.md#settings), 8490. This page is made from the code
(\`npm run docs\`). Names and labels stay; more may be added. No label has a value that a stranger can choose. A
histogram has \`_bucket\`, \`_sum\` and \`_count\`.

## Relays

${tableOf(await relayRows())}

Beside these are the usual ones of Node.js, such as \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`,
\`process_open_fds\`, \`process_max_fds\` and \`nodejs_eventloop_lag_p99_seconds\`.

## The control plane of one machine

The first relay of a standalone server has these too, as the control plane wrote them last, at most five minutes ago:
those of backups where [backups are scheduled](operations.md#backups), and that of payments where
[plans are sold](plans.md#selling). Times are absolute, so a rule about them also fires when no server runs that could
notice.

${tableOf(figureRows())}

## Dashboard and alerts

[packaging/monitoring](../packaging/monitoring/) has a dashboard for Grafana (\`grafana-dashboard.json\`, to import with
a data source of Prometheus) and rules for Prometheus (\`prometheus-rules.yaml\`). A test looks for each metric that
they name in the answer of a real relay.

\`\`\`yaml
# prometheus.yml
rule_files: [prometheus-rules.yaml]
scrape_configs:
  - job_name: porttunneler
    static_configs: [{ targets: ['127.0.0.1:8490'] }]
\`\`\`

Traces, and durations of the control plane's requests and jobs, go out by [OpenTelemetry](operations.md#opentelemetry)
where that is set up.
`
}

if (import.meta.main) writeFileSync(metricsPagePath, await metricsPage())

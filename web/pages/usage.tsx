/** What the tunnels of the account carried: the month against the plan, over time, and by tunnel. */
import type { UsageAnswer } from '@porttunneler/shared/api/schemas/service'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useTunnelNames, useUsage } from '../api/usage-queries.ts'
import { TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatBytes, formatCount, formatDay, formatTime } from '../parts/format.ts'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { type Bar, barsOf } from '../parts/usage-sums.ts'
import { TransferCard } from './transfer-card.tsx'

const hourMs = 3_600_000
const spans = {
  day: { label: 'Day', hours: 24, stepMs: hourMs, step: 'an hour' },
  week: { label: 'Week', hours: 24 * 7, stepMs: 24 * hourMs, step: 'a day' },
  month: { label: '30 days', hours: 24 * 30, stepMs: 24 * hourMs, step: 'a day' },
} as const
type Span = keyof typeof spans
type OfTunnel = UsageAnswer['tunnels'][number]

export function UsagePage() {
  const [span, setSpan] = useState<Span>('week')
  const query = useUsage(spans[span].hours)
  const failure = failureIn(query)
  return (
    <Page
      title="Usage"
      isBroad
      lead="Figures lag by a minute or so. A GB is a thousand million bytes."
      actions={<Spans span={span} onChange={setSpan} />}
    >
      <div class="space-y-4">
        <Panel>
          <TransferCard />
        </Panel>
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the usage" rows={4} />}
        {query.data && (
          <>
            <Panel>
              <Totals usage={query.data} />
              <OverTime bars={barsOf(query.data, spans[span].stepMs)} span={span} />
            </Panel>
            <ByTunnel tunnels={query.data.tunnels} />
          </>
        )}
      </div>
    </Page>
  )
}

function Spans({ span, onChange }: { span: Span; onChange: (span: Span) => void }) {
  return (
    <fieldset class="flex rounded-md border border-line bg-surface p-0.5">
      <legend class="sr-only">How far back</legend>
      {(Object.keys(spans) as Span[]).map((one) => (
        <label
          key={one}
          class="cursor-pointer rounded-md px-3 py-1.5 text-sm font-medium text-muted has-checked:bg-raised has-checked:text-text has-focus-visible:outline-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name="span"
            class="sr-only"
            checked={one === span}
            onChange={() => onChange(one)}
          />
          {spans[one].label}
        </label>
      ))}
    </fieldset>
  )
}

function Totals({ usage: { total } }: { usage: UsageAnswer }) {
  const facts = [
    ['From visitors', formatBytes(total.in)],
    ['To visitors', formatBytes(total.out)],
    ['Connections', formatCount(total.opened)],
    ['Refused', formatCount(total.refused)],
  ] as const
  return (
    <Card title="In all">
      <dl class="grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-4">
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt class="text-sm text-muted">{name}</dt>
            <dd class="text-lg font-semibold">{text}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

const size = { width: 720, half: 72 }

/** Bars up for what came in, and down for what went out. */
function OverTime({ bars, span }: { bars: readonly Bar[]; span: Span }) {
  const most = Math.max(1, ...bars.flatMap((bar) => [bar.in, bar.out]))
  const step = size.width / bars.length
  const height = (bytes: number) => (bytes / most) * (size.half - 2)
  const { step: word } = spans[span]
  const nameOf = (at: number) =>
    span === 'day' ? formatTime(at) : formatDay(new Date(at).toISOString().slice(0, 10))
  return (
    <Card title={`Bytes ${word}`}>
      <svg
        viewBox={`0 0 ${size.width} ${2 * size.half}`}
        class="h-36 w-full"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Bytes ${word}, at most ${formatBytes(most)}. The table below has them all.`}
      >
        <path d={`M0 ${size.half}H${size.width}`} class="stroke-line" vector-effect="non-scaling-stroke" />
        {bars.map((bar, index) => (
          <g key={bar.at}>
            <title>{`${nameOf(bar.at)}: ${formatBytes(bar.in)} from visitors, ${formatBytes(bar.out)} to visitors`}</title>
            <rect
              x={index * step + 1}
              width={Math.max(1, step - 2)}
              y={0}
              height={2 * size.half}
              class="fill-transparent"
            />
            <rect
              x={index * step + 1}
              width={Math.max(1, step - 2)}
              y={size.half - height(bar.in)}
              height={height(bar.in)}
              class="fill-chart-1"
            />
            <rect
              x={index * step + 1}
              width={Math.max(1, step - 2)}
              y={size.half}
              height={height(bar.out)}
              class="fill-chart-2"
            />
          </g>
        ))}
      </svg>
      <p class="mt-2 flex flex-wrap gap-x-5 text-sm text-muted">
        <span class="inline-flex items-center gap-1.5">
          <span aria-hidden="true" class="size-2.5 bg-chart-1" /> up: from visitors
        </span>
        <span class="inline-flex items-center gap-1.5">
          <span aria-hidden="true" class="size-2.5 bg-chart-2" /> down: to visitors
        </span>
      </p>
      <details class="mt-3">
        <summary class="text-sm font-medium text-accent">As a table</summary>
        <div class="mt-2">
          <DataTable
            label={`Bytes ${word}`}
            rows={bars}
            keyOf={({ at }) => `${at}`}
            columns={[
              { head: 'From', cell: ({ at }) => nameOf(at) },
              { head: 'From visitors', isNumber: true, cell: (bar) => formatBytes(bar.in) },
              { head: 'To visitors', isNumber: true, cell: (bar) => formatBytes(bar.out) },
            ]}
          />
        </div>
      </details>
    </Card>
  )
}

function ByTunnel({ tunnels }: { tunnels: readonly OfTunnel[] }) {
  const names = useTunnelNames()
  if (tunnels.length === 0) return <p class="text-muted">No tunnel carried anything in this time.</p>
  const columns: readonly Column<OfTunnel>[] = [
    {
      head: 'Tunnel',
      cell: ({ tunnel }) => (
        <TunnelName id={tunnel} name={names.data?.get(tunnel)} isKnown={names.isSuccess} />
      ),
    },
    { head: 'From visitors', isNumber: true, cell: (one) => formatBytes(one.in) },
    { head: 'To visitors', isNumber: true, cell: ({ out }) => formatBytes(out) },
    { head: 'Connections', isNumber: true, cell: ({ opened }) => formatCount(opened) },
    { head: 'Refused', isNumber: true, cell: ({ refused }) => formatCount(refused) },
  ]
  const rows = tunnels.toSorted((a, b) => b.in + b.out - a.in - a.out)
  return <DataTable label="By tunnel" columns={columns} rows={rows} keyOf={({ tunnel }) => tunnel} />
}

function TunnelName({ id, name, isKnown }: { id: string; name: string | undefined; isKnown: boolean }) {
  if (name) return <TextLink href={`/tunnels/${id}`}>{name}</TextLink>
  return (
    <span class="font-normal text-muted">
      <code class="font-mono text-xs">{id}</code>
      {isKnown && ' deleted'}
    </span>
  )
}

/** The charts of a tunnel, each of which several tabs show. */
import { isTrouble } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useMemo } from 'preact/hooks'
import { useChanges } from '../api/changes.ts'
import { useTimeline } from '../api/history.ts'
import { failureIn } from '../api/queries.ts'
import { ChartPanel } from '../charts/chart-panel.tsx'
import { chartColours, linesOfCodes } from '../charts/code-lines.ts'
import type { Mark } from '../charts/panel-plot.ts'
import { RangeBar } from '../charts/range-bar.tsx'
import { useTimeRange } from '../charts/time-range.ts'
import { formatCount, formatRate } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'

type Shown = 'throughput' | 'connections' | 'results' | 'codes' | 'latency'
type Timeline = ReturnType<typeof useTimeline>

/** The charts one below another, with one crosshair and one time. */
export function TunnelCharts({
  tunnel,
  shown,
  children,
}: {
  tunnel: Tunnel
  shown: readonly Shown[]
  children?: (timeline: Timeline) => preact.ComponentChildren
}) {
  const { range, onRange, onPart } = useTimeRange()
  const timeline = useTimeline(tunnel.id, range)
  const { relayStarts, relayUpdates, query } = timeline
  const failure = failureIn(query)
  const changes = useChanges(tunnel)
  const { cause, since } = tunnel.why
  const marks = useMemo((): readonly Mark[] => {
    const starts = [
      ...relayUpdates.map(
        ({ at, version, before }): Mark => ({
          at,
          text: `Relays were updated from ${before} to ${version}`,
          kind: 'change',
        }),
      ),
      ...relayStarts.map((at): Mark => ({ at, text: 'A relay started', kind: 'change' })),
      ...changes.map(({ at, text }): Mark => ({ at, text, kind: 'change' })),
    ]
    const kind = isTrouble(tunnel.state) ? 'trouble' : 'change'
    return since === undefined ? starts : [...starts, { at: since, text: cause, kind }]
  }, [relayStarts, relayUpdates, changes, since, cause, tunnel.state])
  const panel = { marks, onPart }
  return (
    <div class="space-y-6">
      <RangeBar range={range} onRange={onRange} onPart={onPart} />
      {failure && (
        <ProblemNotice failure={failure} onRetry={() => void query.refetch()} isRetrying={query.isFetching} />
      )}
      {/* Two beside each other on a large screen, where one alone would be a thin line a metre long. */}
      <div class="grid gap-x-10 gap-y-6 min-[120rem]:grid-cols-2 [&>:last-child:nth-child(odd)]:col-span-full">
        {shown.includes('throughput') && <Throughput {...panel} {...timeline} />}
        {shown.includes('connections') && <Connections {...panel} {...timeline} />}
        {shown.includes('results') && <Answers {...panel} {...timeline} />}
        {shown.includes('codes') && <Codes {...panel} {...timeline} />}
        {shown.includes('latency') && <Latency {...panel} {...timeline} />}
      </div>
      {children?.(timeline)}
    </div>
  )
}

type PanelProps = Pick<Timeline, 'span' | 'traffic' | 'results'> & {
  marks: readonly Mark[]
  onPart: ReturnType<typeof useTimeRange>['onPart']
}

function Throughput({ span, marks, onPart, traffic }: PanelProps) {
  return (
    <ChartPanel
      {...{ span, marks, onPart }}
      title="Throughput"
      at={traffic.at}
      lines={[
        { label: 'From visitors', colour: '--chart-1', isFilled: true, values: traffic.in },
        { label: 'To visitors', colour: '--chart-2', isBelow: true, isFilled: true, values: traffic.out },
      ]}
      format={formatRate}
      leastMax={1_000}
      height="tall"
    />
  )
}

function Connections({ span, marks, onPart, traffic }: PanelProps) {
  return (
    <ChartPanel
      {...{ span, marks, onPart }}
      title="Connections"
      at={traffic.at}
      lines={[
        { label: 'Open', colour: '--chart-1', isFilled: true, values: traffic.open },
        { label: 'Opened', colour: '--chart-2', dash: [6, 3], values: traffic.opened },
      ]}
      format={formatWhole}
      leastMax={4}
      height="low"
    />
  )
}

function Answers({ span, marks, onPart, results }: PanelProps) {
  return (
    <ChartPanel
      {...{ span, marks, onPart }}
      title="Requests"
      at={results.at}
      lines={[
        { label: '2xx', colour: '--chart-6', values: results.successful },
        { label: '3xx', colour: '--chart-1', dash: [6, 3], values: results.redirected },
        { label: '4xx', colour: '--chart-4', dash: [2, 2], values: results.clientError },
        { label: '5xx', colour: '--chart-2', values: results.serverError },
        { label: 'No answer', colour: '--chart-5', dash: [8, 3, 2, 3], values: results.unanswered },
      ]}
      format={formatWhole}
      leastMax={4}
      height="low"
    />
  )
}

/** The dashes tell lines apart without colour. */
const dashes = [undefined, [6, 3], [2, 2], [8, 3, 2, 3], [4, 2]] as const

/** Errors that visitors met, by code beside the chart by status. */
function Codes({ span, marks, onPart, results }: PanelProps) {
  const lines = linesOfCodes(results)
  if (lines.length === 0) return null
  return (
    <ChartPanel
      {...{ span, marks, onPart }}
      // A picture keeps the lines that it was made with.
      key={lines.map(({ label }) => label).join()}
      title="Errors by code"
      at={results.at}
      lines={lines.map(({ label, values }, at) => {
        const dash = dashes[at]
        return { label, values, colour: chartColours[at] ?? '--chart-6', ...(dash && { dash }) }
      })}
      format={formatWhole}
      leastMax={4}
      height="low"
    />
  )
}

function Latency({ span, marks, onPart, results }: PanelProps) {
  return (
    <ChartPanel
      {...{ span, marks, onPart }}
      title="Time to the answer"
      at={results.at}
      lines={[
        { label: 'p50', colour: '--chart-1', values: results.p50 },
        { label: 'p95', colour: '--chart-2', dash: [6, 3], values: results.p95 },
        { label: 'p99', colour: '--chart-3', dash: [2, 2], values: results.p99 },
      ]}
      format={formatMs}
      leastMax={20}
      height="low"
    />
  )
}

function formatWhole(value: number): string {
  return Number.isInteger(value)
    ? formatCount(value)
    : value < 10
      ? value.toFixed(1)
      : formatCount(Math.round(value))
}

function formatMs(ms: number): string {
  return ms < 1_000 ? `${formatCount(Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`
}

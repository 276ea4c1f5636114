/** What a tunnel carries: figures of this second and charts of the last five minutes. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useMemo, useState } from 'preact/hooks'
import { type Live, useLive } from '../api/services.tsx'
import type { Columns } from '../charts/history.ts'
import type { Figures } from '../charts/rates.ts'
import { TimeChart } from '../charts/time-chart.tsx'
import { Button } from '../parts/button.tsx'
import { formatBytes, formatCount, formatRate } from '../parts/format.ts'
import { LiveNotice, unknown } from '../parts/live-text.tsx'
import { Card } from '../parts/page.tsx'

export function TrafficCard({ tunnel }: { tunnel: Tunnel }) {
  const tunnels = useMemo(() => [tunnel], [tunnel])
  const live = useLive(tunnels)
  const [held, setHeld] = useState<number>()
  const figures = live.figures(tunnel.id)
  return (
    <Card title="Live traffic">
      <Tiles figures={figures} />
      <LiveNotice status={live.status} />
      <div class="mt-6 space-y-6">
        <Charts columns={live.columns(tunnel.id)} figures={figures} version={held ?? live.version} />
      </div>
      <div class="mt-4 flex flex-wrap items-center justify-between gap-3 text-sm text-muted">
        <p>The last five minutes, a point a second. Totals count from the start of each relay.</p>
        <Button look="quiet" onClick={() => setHeld(held === undefined ? live.version : undefined)}>
          {held === undefined ? 'Hold the charts' : 'Let the charts run'}
        </Button>
      </div>
    </Card>
  )
}

function Tiles({ figures }: { figures: Figures | undefined }) {
  const text = (format: (figures: Figures) => string) => (figures ? format(figures) : unknown)
  return (
    <dl class="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3 lg:grid-cols-6">
      <Tile label="Connections" text={text(({ active }) => formatCount(active))} />
      <Tile label="Opened" text={text(({ opened }) => formatCount(opened))} />
      <Tile label="Refused" text={text(({ refused }) => formatCount(refused))} />
      <Tile label="From visitors" text={text((all) => formatBytes(all.in))} />
      <Tile label="To visitors" text={text((all) => formatBytes(all.out))} />
      <Tile
        label="Round trip"
        text={text(({ rttMs }) => (rttMs === undefined ? unknown : `${formatCount(Math.round(rttMs))} ms`))}
      />
    </dl>
  )
}

function Tile({ label, text }: { label: string; text: string }) {
  return (
    <div>
      <dt class="text-sm text-muted">{label}</dt>
      <dd class="text-xl font-semibold tabular-nums">{text}</dd>
    </div>
  )
}

function Charts({
  columns,
  figures,
  version,
}: {
  columns: Columns
  figures: Figures | undefined
  version: Live['version']
}) {
  const [into, out] = figures
    ? [formatRate(figures.rates.in), formatRate(figures.rates.out)]
    : [unknown, unknown]
  const active = figures ? formatCount(figures.active) : unknown
  return (
    <>
      <TimeChart
        title="Bytes a second"
        summary={`Now ${into} from visitors and ${out} to visitors; the most was ${formatRate(peak(columns.in))} and ${formatRate(peak(columns.out))}.`}
        lines={[
          { label: 'From visitors', colour: '--accent', now: into },
          { label: 'To visitors', colour: '--second', dash: [6, 3], now: out },
        ]}
        data={[columns.at, columns.in, columns.out]}
        version={version}
        format={formatRate}
        leastMax={1_000}
        height={220}
      />
      <TimeChart
        title="Connections"
        summary={`Now ${active} open; the most was ${formatCount(peak(columns.active))}.`}
        lines={[{ label: 'Open', colour: '--accent', now: active }]}
        data={[columns.at, columns.active]}
        version={version}
        format={formatWhole}
        leastMax={4}
        height={130}
      />
    </>
  )
}

function peak(values: readonly (number | null)[]): number {
  return values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0)
}

/** A scale of connections has no halves. */
function formatWhole(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : ''
}

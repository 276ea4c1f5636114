/** What a tunnel does at this second. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useMemo } from 'preact/hooks'
import { useLive } from '../api/services.tsx'
import type { Figures } from '../charts/rates.ts'
import { formatBytes, formatCount } from '../parts/format.ts'
import { LiveNotice, unknown } from '../parts/live-text.tsx'

export function TunnelFigures({ tunnel }: { tunnel: Tunnel }) {
  const tunnels = useMemo(() => [tunnel], [tunnel])
  const live = useLive(tunnels)
  const figures = live.figures(tunnel.id)
  const text = (format: (figures: Figures) => string) => (figures ? format(figures) : unknown)
  return (
    <>
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
      <LiveNotice status={live.status} />
    </>
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

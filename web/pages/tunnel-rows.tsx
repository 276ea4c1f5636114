/** The rows of the tunnel list: only those on the screen are in the page, each 40 px high, on a phone two lines. */
import { isServed, isTrouble } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { useFigures, useLiveStatus } from '../api/services.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { formatCount } from '../parts/format.ts'
import { LiveNotice, RateText, unknown } from '../parts/live-text.tsx'
import { useWide } from '../parts/media.ts'
import { Sparkline } from '../parts/sparkline.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { useVisibleRows } from '../parts/visible-rows.ts'
import { Tags } from './tunnel-tags.tsx'

const rowPx = { wide: 40, narrow: 64 }
/** The next page is asked for this many rows before the end. */
const ahead = 20
const columns =
  'grid-cols-[1.5rem_minmax(7rem,1.2fr)_9.75rem_7rem_minmax(8rem,2fr)_4.5rem_2.5rem] min-[90rem]:grid-cols-[1.5rem_minmax(8rem,1.2fr)_9.75rem_8rem_8rem_minmax(11rem,2fr)_4.5rem_11rem_3rem] items-center gap-x-3'
/** Shown where there is room beside the rail. */
const roomy = 'hidden min-[90rem]:block'

export type Selection = {
  readonly ids: ReadonlySet<string>
  readonly onChange: (ids: ReadonlySet<string>) => void
}

type RowsProps = {
  tunnels: readonly Tunnel[]
  /** How many there are, also those that are not read yet. */
  total: number
  readAt: number | undefined
  selection: Selection
  /** Somebody wants to see only tunnels with this tag. */
  onTag: (tag: string) => void
  hasMore: boolean
  onMore: () => void
  onRange: (range: readonly [number, number]) => void
}

export function TunnelRows({
  tunnels,
  total,
  readAt,
  selection,
  onTag,
  hasMore,
  onMore,
  onRange,
}: RowsProps) {
  const status = useLiveStatus(tunnels)
  const isWide = useWide()
  const height = isWide ? rowPx.wide : rowPx.narrow
  const list = useRef<HTMLTableSectionElement>(null)
  const [from, to] = useVisibleRows(list, tunnels.length, height)
  const [focused, setFocused] = useState(-1)
  useEffect(() => onRange([from, to]), [from, to])
  useEffect(() => {
    if (hasMore && to >= tunnels.length - ahead) onMore()
  }, [to, tunnels.length, hasMore, onMore])
  // The row with the focus stays in the page when it is scrolled away, so that the keyboard does not lose its place.
  const rows = Array.from({ length: to - from }, (_, at) => from + at)
  if (focused >= 0 && focused < tunnels.length && (focused < from || focused >= to)) rows.push(focused)
  return (
    <div>
      <table
        aria-label="Tunnels"
        aria-rowcount={total + 1}
        class="block rounded-xl border border-line bg-surface text-left text-sm"
      >
        <Head isWide={isWide} tunnels={tunnels} selection={selection} />
        <tbody
          ref={list}
          class="relative block"
          style={{ height: `${tunnels.length * height}px` }}
          onKeyDown={(event) => moveFocus(event, list.current)}
          onFocusOut={() => setFocused(-1)}
        >
          {rows.map((at) => {
            const tunnel = tunnels[at]
            if (!tunnel) return null
            const row = { tunnel, readAt, selection, onTag }
            return (
              <tr
                key={tunnel.id}
                aria-rowindex={at + 2}
                data-row={at}
                onFocusIn={() => setFocused(at)}
                class={`absolute inset-x-0 border-line hover:bg-raised/50 ${at > 0 || isWide ? 'border-t' : ''} ${isTrouble(tunnel.state) ? 'bg-danger-soft/40' : ''} ${isWide ? `grid px-3 ${columns}` : 'block px-3 py-2'}`}
                style={{ top: `${at * height}px`, height: `${height}px` }}
              >
                {isWide ? <WideCells {...row} /> : <NarrowCells {...row} />}
              </tr>
            )
          })}
        </tbody>
      </table>
      <LiveNotice status={status} />
    </div>
  )
}

/** The arrow keys go from name to name. */
function moveFocus(event: KeyboardEvent, list: HTMLElement | null): void {
  const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  const row = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('[data-row]') : null
  if (by === 0 || !row) return
  const next = list?.querySelector<HTMLElement>(`[data-row="${Number(row.dataset.row) + by}"] a`)
  if (!next) return
  event.preventDefault()
  next.focus()
}

type HeadProps = { isWide: boolean; tunnels: readonly Tunnel[]; selection: Selection }

function Head({ isWide, tunnels, selection: { ids, onChange } }: HeadProps) {
  const isAll = tunnels.length > 0 && tunnels.every(({ id }) => ids.has(id))
  const look = isWide ? `grid px-3 ${columns}` : 'sr-only'
  return (
    <thead class="block">
      <tr aria-rowindex={1} class={`h-9 text-muted [&>th]:font-medium ${look}`}>
        {isWide && (
          <th scope="col">
            <Tick
              label="Select all that are listed"
              isTicked={isAll}
              onChange={() => onChange(isAll ? new Set() : new Set(tunnels.map(({ id }) => id)))}
            />
          </th>
        )}
        <th scope="col">Name</th>
        <th scope="col">State</th>
        {isWide && (
          <>
            <th scope="col">Since</th>
            <th scope="col" class={roomy}>
              Last seen
            </th>
          </>
        )}
        <th scope="col">Endpoint</th>
        {isWide && (
          <>
            <th scope="col">Traffic</th>
            <th scope="col" class={roomy}>
              Rate
            </th>
            <th scope="col" class="text-right">
              Open
            </th>
          </>
        )}
      </tr>
    </thead>
  )
}

type RowProps = {
  tunnel: Tunnel
  readAt: number | undefined
  selection: Selection
  onTag: (tag: string) => void
}

function WideCells({ tunnel, readAt, selection: { ids, onChange }, onTag }: RowProps) {
  const toggle = (isTicked: boolean) => {
    const next = new Set(ids)
    if (isTicked) next.add(tunnel.id)
    else next.delete(tunnel.id)
    onChange(next)
  }
  return (
    <>
      <td>
        <Tick label={`Select ${tunnel.name}`} isTicked={ids.has(tunnel.id)} onChange={toggle} />
      </td>
      <th scope="row" class="flex min-w-0 items-baseline gap-2 font-normal">
        <Name tunnel={tunnel} />
        <span class="text-muted">{tunnel.kind}</span>
        <Tags tags={tunnel.tags} onTag={onTag} />
      </th>
      <td>
        <StateBadge state={tunnel.state} title={tunnel.why.cause} asOf={readAt} />
      </td>
      <td class="truncate text-muted">
        <Since tunnel={tunnel} />
      </td>
      <td class={`truncate text-muted ${roomy}`}>
        <LastSeen tunnel={tunnel} />
      </td>
      <td class="min-w-0">
        <Address tunnel={tunnel} />
      </td>
      <LiveCells id={tunnel.id} />
    </>
  )
}

/** They alone render again with the figures, and only those of tunnels that do something. */
function LiveCells({ id }: { id: string }) {
  const live = useFigures(id)
  const figures = live.figures(id)
  return (
    <>
      <td>
        <Sparkline columns={live.columns(id)} />
      </td>
      <td class={`overflow-hidden whitespace-nowrap ${roomy}`}>
        <RateText figures={figures} />
      </td>
      <td class="text-right tabular-nums">{figures ? formatCount(figures.active) : unknown}</td>
    </>
  )
}

function NarrowCells({ tunnel, readAt }: RowProps) {
  return (
    <>
      <th scope="row" class="flex h-6 min-w-0 items-baseline gap-2 pr-36 font-normal">
        <Name tunnel={tunnel} />
        <span class="text-muted">{tunnel.kind}</span>
      </th>
      <td class="absolute top-2 right-3">
        <StateBadge state={tunnel.state} title={tunnel.why.cause} asOf={readAt} />
      </td>
      <td class="flex h-6 min-w-0 items-center justify-between gap-3 text-muted">
        <span class="min-w-0 truncate font-mono text-xs">{tunnel.endpoint?.url ?? 'No address yet'}</span>
        <span class="shrink-0 text-xs">
          <Since tunnel={tunnel} />
        </span>
      </td>
    </>
  )
}

function Name({ tunnel: { id, name } }: { tunnel: Tunnel }) {
  return (
    <Link
      href={`/tunnels/${id}`}
      class="min-w-0 truncate font-semibold text-text underline decoration-edge underline-offset-4 hover:text-accent hover:decoration-accent"
    >
      {name}
    </Link>
  )
}

function Since({ tunnel: { why } }: { tunnel: Tunnel }) {
  if (why.since === undefined) return <>{unknown}</>
  return <TimeText at={why.since} isInRow />
}

function LastSeen({ tunnel: { state, lastServedAt } }: { tunnel: Tunnel }) {
  if (lastServedAt === undefined) return <>{isServed(state) ? 'Now' : unknown}</>
  return <TimeText at={lastServedAt} isInRow />
}

function Address({ tunnel: { name, endpoint } }: { tunnel: Tunnel }) {
  if (!endpoint) return <span class="text-muted">{unknown}</span>
  const look = 'min-w-0 truncate font-mono text-[0.8125rem]'
  return (
    <span class="flex items-center gap-2">
      {/^https?:\/\//.test(endpoint.url) ? (
        <a
          href={endpoint.url}
          target="_blank"
          rel="noreferrer"
          class={`${look} underline decoration-edge underline-offset-4 hover:text-accent`}
        >
          {endpoint.url}
        </a>
      ) : (
        <span class={look}>{endpoint.url}</span>
      )}
      <CopyButton text={endpoint.url} what={`endpoint of ${name}`} isBare />
    </span>
  )
}

function Tick({
  label,
  isTicked,
  onChange,
}: {
  label: string
  isTicked: boolean
  onChange: (isTicked: boolean) => void
}) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      class="block size-4 accent-accent"
      checked={isTicked}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  )
}

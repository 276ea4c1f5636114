/** What happened to a tunnel: changes, errors that visitors met, relays that began. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useLocation, useSearch } from 'wouter-preact'
import { useChanges } from '../api/changes.ts'
import { useTimeline } from '../api/history.ts'
import { RangeBar } from '../charts/range-bar.tsx'
import { useTimeRange } from '../charts/time-range.ts'
import { Button } from '../parts/button.tsx'
import { CodeText } from '../parts/code-text.tsx'
import { formatCounted, formatTime } from '../parts/format.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { runsOf } from './tunnel-runs.ts'

type Happened = {
  readonly at: number
  readonly icon: IconName
  readonly text: string
  readonly code?: string
}
/** Errors that come again within this many steps are one event. */
const runSteps = 3
const shownMax = 200

export function TunnelEvents({ tunnel }: { tunnel: Tunnel }) {
  const { range, onRange, onPart } = useTimeRange()
  const { span, results, resultStepMs: stepMs, relayStarts, relayUpdates } = useTimeline(tunnel.id, range)
  const changes = useChanges(tunnel)
  const events: readonly Happened[] = [
    ...changes.map(({ at, text, isFirst }): Happened => ({ at, text, icon: isFirst ? 'plus' : 'sliders' })),
    ...relayUpdates.map(
      ({ at, version, before }): Happened => ({
        at,
        icon: 'tunnel',
        text: `Relays of its region were updated from ${before} to ${version}.`,
      }),
    ),
    ...relayStarts.map((at): Happened => ({ at, icon: 'tunnel', text: 'A relay of its region started.' })),
    ...runsOf(results.codes, runSteps * stepMs).map(
      ({ code, from, to, count }): Happened => ({
        at: from,
        icon: 'alert',
        code,
        text: `Visitors met it ${count === 1 ? 'once' : formatCounted(count, 'time')}${to > from ? `, until ${formatTime(to + stepMs)}` : ''}.`,
      }),
    ),
    ...(tunnel.why.since === undefined
      ? []
      : [{ at: tunnel.why.since, icon: 'away' as const, text: tunnel.why.cause }]),
  ]
  const { only, onAll } = useOnly()
  const shown = events
    .filter(({ at, code }) => at >= span.from && at <= span.to && (only === undefined || code === only))
    .sort((a, b) => b.at - a.at)
    .slice(0, shownMax)
  return (
    <Card title="Events">
      <RangeBar range={range} onRange={onRange} onPart={onPart} />
      {only !== undefined && (
        <p class="mt-4 flex items-center gap-3 text-sm">
          Only <code class="font-mono">{only}</code>
          <Button look="quiet" onClick={onAll}>
            Show all events
          </Button>
        </p>
      )}
      {shown.length === 0 && <p class="mt-5 text-muted">Nothing happened in this time.</p>}
      <ol class="mt-5 divide-y divide-line text-sm">
        {shown.map(({ at, icon, text, code }) => (
          <li key={`${at} ${code} ${text}`} class="flex flex-wrap items-center gap-x-4 gap-y-1 py-2">
            <span class="w-44 text-muted">
              <TimeText at={at} isExact />
            </span>
            <Icon name={icon} size={16} />
            {code && <CodeText code={code} />}
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </Card>
  )
}

/** The one code that the address asks for. */
function useOnly() {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const onAll = () => {
    const query = new URLSearchParams(search)
    query.delete('code')
    navigate(`${path}?${query}`, { replace: true })
  }
  return { only: new URLSearchParams(search).get('code') ?? undefined, onAll }
}

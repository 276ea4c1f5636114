/** How requests to an http tunnel were answered, which errors visitors met, and where to see each request. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { Link, useLocation, useSearch } from 'wouter-preact'
import { formatCount } from '../parts/format.ts'
import { Card } from '../parts/page.tsx'
import { tabAddress } from '../parts/tabs.tsx'
import { TunnelCharts } from './tunnel-charts.tsx'
import { runsOf } from './tunnel-runs.ts'

export function RequestsTab({ tunnel }: { tunnel: Tunnel }) {
  return (
    <Card title="Requests">
      <p class="mb-5 text-sm text-muted">
        Each request with its headers and body is in the inspector on the machine where the agent runs. Run{' '}
        <code>ptun inspect {tunnel.name}</code> there to open it. They never leave that machine.
      </p>
      <TunnelCharts tunnel={tunnel} shown={['results', 'codes', 'latency']}>
        {({ results }) => <Codes codes={results.codes} />}
      </TunnelCharts>
    </Card>
  )
}

function Codes({ codes }: { codes: ReadonlyMap<number, Readonly<Record<string, number>>> }) {
  const search = useSearch()
  const [path] = useLocation()
  const counts = new Map<string, number>()
  for (const { code, count } of runsOf(codes, 0)) counts.set(code, (counts.get(code) ?? 0) + count)
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  if (sorted.length === 0) return <p class="text-sm text-muted">No visitor met an error in this time.</p>
  return (
    <section aria-label="Errors that visitors met">
      <h3 class="mb-2 text-sm font-semibold">Errors that visitors met</h3>
      <ul class="divide-y divide-line rounded-md border border-line text-sm">
        {sorted.map(([code, count]) => (
          <li key={code} class="flex items-center gap-4 px-3 py-2">
            <code class="w-24 font-mono">{code}</code>
            <span class="tabular-nums">{formatCount(count)}</span>
            <Link
              class="ml-auto underline decoration-edge underline-offset-4"
              href={tabAddress(path, search, { tab: 'events', code })}
              aria-label={`When it was: ${code}`}
            >
              When it was
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** All tunnels of the account with state, endpoint and live figures: a table where it fits, cards on a phone. */

import { isTrouble, tunnelStates } from '@porttunneler/shared/api/schemas/tunnel-words'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { Link } from 'wouter-preact'
import { asOf, failureIn, useTunnels } from '../api/queries.ts'
import { type Live, useLive } from '../api/services.tsx'
import { CommandLine } from '../parts/copy-button.tsx'
import { EndpointText } from '../parts/endpoint-text.tsx'
import { formatBytes, formatClock, formatCount } from '../parts/format.ts'
import { LiveNotice, RateText, unknown } from '../parts/live-text.tsx'
import { useWide } from '../parts/media.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { TableHead } from '../parts/table-head.tsx'
import { TransferNotice } from './transfer-card.tsx'

export function TunnelsPage() {
  const query = useTunnels()
  const failure = failureIn(query)
  const tunnels = query.data?.items
  return (
    <Page title="Tunnels" lead={tunnels && tunnels.length > 0 ? summary(tunnels, asOf(query)) : undefined}>
      <div class="space-y-5">
        <TransferNotice />
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the tunnels" rows={4} />}
        {tunnels?.length === 0 && <FirstTunnel />}
        {tunnels && tunnels.length > 0 && <TunnelList tunnels={inOrder(tunnels)} readAt={asOf(query)} />}
        {query.data?.isCut && <p class="text-sm text-muted">There are more; the API lists them all.</p>}
      </div>
    </Page>
  )
}

/** "2 need a look, 5 of 9 healthy", and as of when if the server cannot be asked. */
function summary(tunnels: readonly Tunnel[], readAt: number | undefined): string {
  const trouble = tunnels.filter(({ state }) => isTrouble(state)).length
  const healthy = tunnels.filter(({ state }) => state === 'healthy').length
  const parts = [
    ...(trouble > 0 ? [`${formatCount(trouble)} ${trouble === 1 ? 'needs' : 'need'} a look`] : []),
    `${formatCount(healthy)} of ${formatCount(tunnels.length)} healthy`,
  ]
  return `${parts.join(', ')}${readAt === undefined ? '' : `, as of ${formatClock(readAt)}`}`
}

/** Trouble first; the newest first among equals, as the server lists them. */
function inOrder(tunnels: readonly Tunnel[]): readonly Tunnel[] {
  const rank = (tunnel: Tunnel) => tunnelStates.indexOf(tunnel.state)
  return tunnels.toSorted((a, b) => rank(a) - rank(b))
}

function FirstTunnel() {
  return (
    <Card title="Your first tunnel takes two commands">
      <p class="text-muted">Run them on the machine whose port you want to reach from outside.</p>
      <ol class="mt-5 space-y-5">
        <li>
          <p class="mb-2 font-medium">1. Connect the machine to this account</p>
          <CommandLine command={`npx porttunneler login --server ${location.origin}`} />
        </li>
        <li>
          <p class="mb-2 font-medium">2. Open a tunnel to a local port, here 3000</p>
          <CommandLine command="npx porttunneler http 3000" />
          <p class="mt-2 text-sm text-muted">
            For anything that is not HTTP: <code class="font-mono">npx porttunneler tcp 5432</code>
          </p>
        </li>
      </ol>
      <p class="mt-5 text-muted">The tunnel appears here as soon as it is open.</p>
    </Card>
  )
}

function TunnelList({ tunnels, readAt }: { tunnels: readonly Tunnel[]; readAt: number | undefined }) {
  const live = useLive(tunnels)
  const isWide = useWide()
  return (
    <div>
      {isWide ? (
        <TunnelTable {...{ tunnels, live, readAt }} />
      ) : (
        <TunnelCards {...{ tunnels, live, readAt }} />
      )}
      <LiveNotice status={live.status} />
      <p class="mt-3 text-sm text-muted">Transferred bytes count from the start of each relay.</p>
    </div>
  )
}

type ListProps = { tunnels: readonly Tunnel[]; live: Live; readAt: number | undefined }

function TunnelTable({ tunnels, live, readAt }: ListProps) {
  return (
    <div class="overflow-x-auto rounded-2xl border border-line bg-surface">
      <table class="w-full text-left text-sm">
        <caption class="sr-only">Tunnels with their live figures</caption>
        <thead class="border-b border-line text-muted">
          <tr>
            <TableHead>Name</TableHead>
            <TableHead>State</TableHead>
            <TableHead>Endpoint</TableHead>
            <TableHead isNumber>Connections</TableHead>
            <TableHead>Rate</TableHead>
            <TableHead isNumber>Transferred</TableHead>
          </tr>
        </thead>
        <tbody class="divide-y divide-line">
          {tunnels.map((tunnel) => (
            <tr key={tunnel.id} class="hover:bg-raised/50">
              <th scope="row" class="px-4 py-3 font-normal first:pl-6">
                <TunnelName tunnel={tunnel} />
              </th>
              <td class="px-4 py-3">
                <StateBadge state={tunnel.state} title={tunnel.why.cause} asOf={readAt} />
              </td>
              <td class="min-w-[19rem] px-4 py-3">
                <EndpointText tunnel={tunnel} />
              </td>
              <td class="px-4 py-3 text-right tabular-nums">
                <Connections tunnel={tunnel} live={live} />
              </td>
              <td class="px-4 py-3">
                <RateText figures={live.figures(tunnel.id)} />
              </td>
              <td class="px-4 py-3 text-right whitespace-nowrap tabular-nums last:pr-6">
                <Transferred tunnel={tunnel} live={live} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TunnelCards({ tunnels, live, readAt }: ListProps) {
  return (
    <ul aria-label="Tunnels with their live figures" class="space-y-3">
      {tunnels.map((tunnel) => (
        <li key={tunnel.id} class="rounded-2xl border border-line bg-surface p-4 text-sm">
          <div class="flex items-start justify-between gap-3">
            <TunnelName tunnel={tunnel} />
            <StateBadge state={tunnel.state} title={tunnel.why.cause} asOf={readAt} />
          </div>
          <div class="mt-3">
            <EndpointText tunnel={tunnel} />
          </div>
          <dl class="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            <dt class="text-muted">Connections</dt>
            <dd class="text-right tabular-nums">
              <Connections tunnel={tunnel} live={live} />
            </dd>
            <dt class="text-muted">Rate</dt>
            <dd class="text-right">
              <RateText figures={live.figures(tunnel.id)} />
            </dd>
            <dt class="text-muted">Transferred</dt>
            <dd class="text-right tabular-nums">
              <Transferred tunnel={tunnel} live={live} />
            </dd>
          </dl>
        </li>
      ))}
    </ul>
  )
}

type CellProps = { tunnel: Tunnel; live: Live }

function TunnelName({ tunnel }: { tunnel: Tunnel }) {
  return (
    <div class="min-w-0">
      <Link
        href={`/tunnels/${tunnel.id}`}
        class="font-semibold break-words text-text underline decoration-edge underline-offset-4 hover:text-accent hover:decoration-accent"
      >
        {tunnel.name}
      </Link>
      <span class="block text-muted">{tunnel.kind}</span>
    </div>
  )
}

function Connections({ tunnel, live }: CellProps) {
  const figures = live.figures(tunnel.id)
  return <>{figures ? formatCount(figures.active) : unknown}</>
}

function Transferred({ tunnel, live }: CellProps) {
  const figures = live.figures(tunnel.id)
  return <>{figures ? formatBytes(figures.in + figures.out) : unknown}</>
}

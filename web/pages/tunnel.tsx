/** One tunnel: what it is and does stays in sight, and the rest is in tabs. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import { asOf, failureIn, useTunnel } from '../api/queries.ts'
import { CommandLine } from '../parts/copy-button.tsx'
import { EndpointText } from '../parts/endpoint-text.tsx'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { type Tab, Tabs } from '../parts/tabs.tsx'
import { WhyText } from '../parts/why-text.tsx'
import { AgentsCard } from './agents-card.tsx'
import { PolicyCard } from './policy-card.tsx'
import { TunnelCharts } from './tunnel-charts.tsx'
import { TunnelCode } from './tunnel-code.tsx'
import { KeptConnections, OpenConnections } from './tunnel-connections.tsx'
import { TunnelEvents } from './tunnel-events.tsx'
import { TunnelFigures } from './tunnel-figures.tsx'
import { TunnelMenu } from './tunnel-menu.tsx'
import { RequestsTab } from './tunnel-requests.tsx'
import { SettingsTab } from './tunnel-settings.tsx'

export function TunnelPage({ id }: { id: string }) {
  const query = useTunnel(id)
  const failure = failureIn(query)
  const tunnel = query.data
  return (
    <Page title={tunnel?.name ?? 'Tunnel'} isBroad lead={tunnel && <WhyText why={tunnel.why} />}>
      {failure && (
        <div class="mb-5">
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        </div>
      )}
      {query.isPending && <Skeleton what="the tunnel" rows={4} />}
      {tunnel && (
        <>
          <Bar tunnel={tunnel} stateAsOf={asOf(query)} />
          <Tabs
            label={`Parts of ${tunnel.name}`}
            tabs={tabsOf(tunnel, async () => (await query.refetch()).data)}
          />
        </>
      )}
    </Page>
  )
}

/** Stays at the top while the rest moves. */
function Bar({ tunnel, stateAsOf }: { tunnel: Tunnel; stateAsOf: number | undefined }) {
  const [isCode, setCode] = useState(false)
  const { name, kind, state, endpoint } = tunnel
  return (
    <div class="sticky top-0 z-10 -mx-1 mb-4 bg-ground px-1 py-2">
      <div class="relative flex flex-wrap items-center gap-x-4 gap-y-1 rounded-xl border border-line bg-surface px-3 py-2 pr-14">
        <span class="max-w-56 truncate font-semibold" aria-hidden="true">
          {name}
        </span>
        <StateBadge state={state} asOf={stateAsOf} />
        <div class="max-w-full min-w-0">
          <EndpointText tunnel={tunnel} isOneLine />
        </div>
        <div class="absolute top-1.5 right-2">
          <TunnelMenu tunnel={tunnel} onCode={endpoint && (() => setCode(true))} />
        </div>
        <div class="ml-auto hidden min-w-0 xl:block">
          <CommandLine command={`npx porttunneler ${kind} ${ports[kind]} --name ${name}`} />
        </div>
      </div>
      {isCode && endpoint && <TunnelCode url={endpoint.url} onClose={() => setCode(false)} />}
    </div>
  )
}

/** What stands in the command for the port of the person's own program. */
const ports: Record<Tunnel['kind'], string> = { http: '3000', tcp: '5432', tls: '8443' }

function tabsOf(tunnel: Tunnel, reload: () => Promise<Tunnel | undefined>): readonly Tab[] {
  const isHttp = tunnel.kind === 'http'
  return [
    {
      name: 'overview',
      label: 'Overview',
      content: () => (
        <Card title="Live traffic">
          <TunnelFigures tunnel={tunnel} />
          <div class="mt-6">
            <TunnelCharts
              tunnel={tunnel}
              shown={
                isHttp ? ['throughput', 'connections', 'results', 'latency'] : ['throughput', 'connections']
              }
            />
          </div>
        </Card>
      ),
    },
    ...(isHttp
      ? [{ name: 'requests', label: 'Requests', content: () => <RequestsTab tunnel={tunnel} /> }]
      : []),
    {
      name: 'connections',
      label: 'Connections',
      content: () => (
        <div class="space-y-5">
          <Card title="Connections of visitors">
            <TunnelFigures tunnel={tunnel} />
            <div class="mt-6">
              <TunnelCharts tunnel={tunnel} shown={['connections']} />
            </div>
          </Card>
          <OpenConnections tunnel={tunnel} />
          <KeptConnections tunnel={tunnel} />
        </div>
      ),
    },
    { name: 'events', label: 'Events', content: () => <TunnelEvents tunnel={tunnel} /> },
    { name: 'access', label: 'Access', content: () => <PolicyCard tunnel={tunnel} reload={reload} /> },
    {
      name: 'settings',
      label: 'Settings',
      content: () => (
        <div class="space-y-5">
          <AgentsCard tunnel={tunnel} />
          <SettingsTab tunnel={tunnel} />
        </div>
      ),
    },
  ]
}

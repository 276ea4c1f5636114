/** The programs that serve the tunnels, each with its machine: trouble first. */
import type { Agent } from '@porttunneler/shared/api/schemas/agents'
import { useAgents } from '../api/agent-queries.ts'
import { asOf, failureIn, useConfig } from '../api/queries.ts'
import { agentName, relaysText, SeenText, systemText, versionText } from '../parts/agent-text.tsx'
import { ButtonLink, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatClock, formatCount } from '../parts/format.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { HolderBadge } from '../parts/state-badge.tsx'

export function AgentsPage() {
  const query = useAgents()
  const served = useConfig().data?.version
  const failure = failureIn(query)
  const items = query.data?.items
  const readAt = asOf(query)
  const columns: readonly Column<Agent>[] = [
    {
      head: 'Machine',
      cell: (agent) => <TextLink href={`/agents/${agent.id}`}>{agentName(agent)}</TextLink>,
    },
    {
      head: 'State',
      cell: (agent) =>
        readAt === undefined ? <HolderBadge holder={agent} /> : `as of ${formatClock(readAt)}`,
    },
    { head: 'Tunnels', isNumber: true, cell: ({ tunnels }) => formatCount(tunnels.length) },
    { head: 'Relays', cell: relaysText },
    { head: 'System', cell: systemText },
    { head: 'Version', cell: (agent) => versionText(agent, served) },
    { head: 'Address', cell: ({ from }) => <span class="font-mono text-xs">{from || '–'}</span> },
    { head: 'Last seen', cell: (agent) => <SeenText agent={agent} /> },
  ]
  return (
    <Page
      title="Agents"
      isBroad
      lead="Each machine that serves tunnels now. One that has left is listed until its leases end."
    >
      <div class="space-y-4">
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the agents" />}
        {items?.length === 0 && (
          <Card title="No agent serves a tunnel now">
            <p class="mb-4 text-muted">
              An agent is ptun on the machine of your program. It appears here when it serves a tunnel.
            </p>
            <ButtonLink href="/new">New tunnel</ButtonLink>
          </Card>
        )}
        {items && items.length > 0 && (
          <DataTable label="Agents" columns={columns} rows={items} keyOf={({ id }) => id} />
        )}
      </div>
    </Page>
  )
}

/** One agent: its machine, the relays that have it, what it serves, and how to stop it from here. */
import type { Agent } from '@porttunneler/shared/api/schemas/agents'
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import { useParams } from 'wouter-preact'
import { useAgents, useStopAgent } from '../api/agent-queries.ts'
import { failureIn, useConfig, useKeys, useMe, useRevokeKey } from '../api/queries.ts'
import { useLive } from '../api/services.tsx'
import { agentName, SeenText, systemText, versionText } from '../parts/agent-text.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatCount, formatCounted } from '../parts/format.ts'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { HolderBadge } from '../parts/state-badge.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function AgentPage() {
  const { id = '' } = useParams<{ id: string }>()
  const query = useAgents()
  const failure = failureIn(query)
  const agent = query.data?.items.find((one) => one.id === id)
  return (
    <Page title={agent ? agentName(agent) : 'Agent'} actions={agent && <HolderBadge holder={agent} />}>
      <div class="space-y-4">
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the agent" />}
        {query.data && !agent && (
          <p class="text-muted">This agent serves no tunnel now. It appears again when it does.</p>
        )}
        {agent && (
          <>
            <Panel>
              <About agent={agent} />
              <Relays agent={agent} />
              <Stop agent={agent} />
            </Panel>
            <DataTable
              label="Its tunnels"
              rows={agent.tunnels}
              keyOf={({ tunnel }) => tunnel}
              columns={[
                {
                  head: 'Tunnel',
                  cell: ({ tunnel, name }) => <TextLink href={`/tunnels/${tunnel}`}>{name}</TextLink>,
                },
                { head: 'State', cell: (one) => <HolderBadge holder={one} /> },
                { head: 'Round trip', isNumber: true, cell: ({ tunnel }) => <RoundTrip tunnel={tunnel} /> },
              ]}
            />
          </>
        )}
      </div>
    </Page>
  )
}

function About({ agent }: { agent: Agent }) {
  const served = useConfig().data?.version
  const facts = [
    ['System', systemText(agent)],
    ['Version', versionText(agent, served)],
    ['Address', agent.from || 'not known'],
    ['Serves since', <TimeText key="since" at={agent.since} />],
    ['Last seen', <SeenText key="seen" agent={agent} />],
    [
      'Id',
      <code key="id" class="font-mono text-xs break-all">
        {agent.id}
      </code>,
    ],
  ] as const
  return (
    <Card title="Machine">
      <dl class="grid gap-x-8 gap-y-3 sm:grid-cols-2 lg:grid-cols-3">
        {facts.map(([name, value]) => (
          <div key={name} class="min-w-0">
            <dt class="text-sm text-muted">{name}</dt>
            <dd class="font-medium break-words">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

function Relays({ agent: { relays } }: { agent: Agent }) {
  return (
    <Card title="Relays">
      {relays.length === 0 && <p class="text-muted">No relay has reported lately.</p>}
      <ul class="divide-y divide-line">
        {relays.map(({ relay, connected }) => (
          <li key={relay} class="flex flex-wrap items-center justify-between gap-3 py-2 first:pt-0 last:pb-0">
            <code class="font-mono text-xs break-all">{relay}</code>
            <HolderBadge holder={{ state: connected ? 'online' : 'away' }} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

const nothingNew: readonly Tunnel[] = []

/** From the relays' figures, which name tunnels. */
function RoundTrip({ tunnel }: { tunnel: string }) {
  const ms = useLive(nothingNew).figures(tunnel)?.rttMs
  return <>{ms === undefined ? '–' : `${formatCount(Math.round(ms))} ms`}</>
}

/** Ends what it serves now; its key stays good. */
function Stop({ agent }: { agent: Agent }) {
  const announce = useAnnounce()
  const mayStop = useMe().data?.permissions.includes('tunnels.write') ?? false
  const [isAsking, setAsking] = useState(false)
  const name = agentName(agent)
  const stop = useStopAgent({
    onStopped: (tunnels) => {
      setAsking(false)
      announce(`Stopped ${name}: ${tunnels.join(', ')}`)
    },
  })
  if (!mayStop)
    return (
      <Card title="Stop it">
        <p class="max-w-prose text-muted">
          Stop ptun on the machine, or ask somebody who may change tunnels.
        </p>
      </Card>
    )
  return (
    <Card title="Stop it">
      <div class="flex flex-wrap items-center justify-between gap-4">
        <p class="max-w-prose text-muted">
          Its tunnels go offline at once and keep their addresses. It comes back when somebody starts it on
          its machine.
        </p>
        <Button look="danger" onClick={() => setAsking(true)}>
          Stop this agent
        </Button>
      </div>
      <RevokeKey agent={agent} />
      {isAsking && (
        <ConfirmDialog
          title={`Stop ${name}?`}
          action="Stop this agent"
          onConfirm={() => stop.mutate(agent.id)}
          onClose={() => setAsking(false)}
          isBusy={stop.isPending}
          failure={failureIn(stop)}
        >
          <p>
            Offline at once: {formatCounted(agent.tunnels.length, 'tunnel')},{' '}
            {agent.tunnels.map((one) => one.name).join(', ')}. Open connections are cut.
          </p>
          <p>
            Every ptun of its user on that machine ends, and no service manager starts it again. To start it
            from here is not possible.
          </p>
        </ConfirmDialog>
      )}
    </Card>
  )
}

/** The stronger measure: an agent that is started again is refused as well. */
function RevokeKey({ agent }: { agent: Agent }) {
  const announce = useAnnounce()
  const keys = useKeys()
  const [isAsking, setAsking] = useState(false)
  const key = keys.data?.items.find(({ id }) => id === agent.key)
  const revoke = useRevokeKey({
    onRevoked: () => {
      setAsking(false)
      announce(`Revoked the key of ${agentName(agent)}`)
    },
  })
  if (!key) return null
  return (
    <div class="mt-4 flex flex-wrap items-center justify-between gap-4 border-t border-line pt-4">
      <p class="max-w-prose text-muted">
        Is the machine lost? It works with the key {key.name}. When that is revoked, the agent is refused also
        when it is started again.
      </p>
      <Button look="danger" onClick={() => setAsking(true)}>
        Revoke its key
      </Button>
      {isAsking && (
        <ConfirmDialog
          title={`Revoke the key of ${agentName(agent)}?`}
          action="Revoke its key"
          onConfirm={() => revoke.mutate(key.id)}
          onClose={() => setAsking(false)}
          isBusy={revoke.isPending}
          failure={failureIn(revoke)}
        >
          <p>
            Every agent and script that uses the key {key.name} (…{key.hint}) is stopped. This cannot be
            undone: the machine signs in again with ptun login.
          </p>
        </ConfirmDialog>
      )}
    </div>
  )
}

/** One tunnel: endpoint, what it carries now and over the last minutes, its policy, and its end. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import { useLocation } from 'wouter-preact'
import { asOf, failureIn, useDeleteTunnel, useTunnel } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { EndpointText } from '../parts/endpoint-text.tsx'
import { formatTime } from '../parts/format.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { WhyText } from '../parts/why-text.tsx'
import { AgentsCard } from './agents-card.tsx'
import { PolicyCard } from './policy-card.tsx'
import { TrafficCard } from './traffic-card.tsx'

const back = { href: '/', label: 'Tunnels' }

export function TunnelPage({ id }: { id: string }) {
  const query = useTunnel(id)
  const failure = failureIn(query)
  const tunnel = query.data
  return (
    <Page
      title={tunnel?.name ?? 'Tunnel'}
      lead={tunnel && <WhyText why={tunnel.why} />}
      back={back}
      actions={tunnel && <StateBadge state={tunnel.state} asOf={asOf(query)} />}
    >
      <div class="space-y-5">
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the tunnel" rows={4} />}
        {tunnel && (
          <>
            <AddressCard tunnel={tunnel} />
            <TrafficCard tunnel={tunnel} />
            <AgentsCard tunnel={tunnel} />
            <PolicyCard tunnel={tunnel} reload={async () => (await query.refetch()).data} />
            <DeleteCard tunnel={tunnel} />
          </>
        )}
      </div>
    </Page>
  )
}

function AddressCard({ tunnel }: { tunnel: Tunnel }) {
  return (
    <Card title="Endpoint">
      <EndpointText tunnel={tunnel} />
      <dl class="mt-5 grid gap-x-8 gap-y-3 text-sm sm:grid-cols-2">
        <Fact label="Kind" text={tunnel.kind} />
        <Fact label="Created" text={formatTime(tunnel.createdAt)} />
      </dl>
    </Card>
  )
}

function Fact({ label, text }: { label: string; text: string }) {
  return (
    <div class="min-w-0">
      <dt class="text-muted">{label}</dt>
      <dd class="font-medium">{text}</dd>
    </div>
  )
}

function DeleteCard({ tunnel }: { tunnel: Tunnel }) {
  const { live } = useServices()
  const [, navigate] = useLocation()
  const announce = useAnnounce()
  const [isAsking, setAsking] = useState(false)
  const remove = useDeleteTunnel(tunnel.id)
  const confirm = () =>
    remove.mutate(undefined, {
      onSuccess: () => {
        navigate('/')
        announce(`Deleted: ${tunnel.name}`)
      },
    })
  const active = live.figures(tunnel.id)?.active ?? 0
  return (
    <Card title="Delete">
      <div class="flex flex-wrap items-center justify-between gap-4">
        <p class="max-w-prose text-muted">Ends the tunnel and gives its endpoint back.</p>
        <Button look="danger" onClick={() => setAsking(true)}>
          Delete tunnel
        </Button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title={`Delete ${tunnel.name}?`}
          action="Delete tunnel"
          onConfirm={confirm}
          onClose={() => setAsking(false)}
          isBusy={remove.isPending}
          failure={failureIn(remove)}
        >
          <p>
            {active > 0 && `${active} open ${active === 1 ? 'connection ends' : 'connections end'} at once. `}
            {tunnel.endpoint && (
              <>
                Nobody can reach{' '}
                <code class="font-mono text-sm break-all text-text">{tunnel.endpoint.url}</code> any more, and
                later it may go to somebody else.
              </>
            )}
            {!tunnel.endpoint && 'Its policy and its name are given up.'}
          </p>
          <p>An agent that still asks for a tunnel of this name creates a new one.</p>
        </ConfirmDialog>
      )}
    </Card>
  )
}

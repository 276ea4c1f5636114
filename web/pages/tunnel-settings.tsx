/** What a tunnel is, and its end. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { useLocation } from 'wouter-preact'
import { failureIn, useDeleteTunnel } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function SettingsTab({ tunnel }: { tunnel: Tunnel }) {
  return (
    <>
      <Card title="Facts">
        <dl class="grid gap-x-8 gap-y-3 text-sm sm:grid-cols-3">
          <Fact label="Kind" text={tunnel.kind} />
          <Fact label="Created" text={<TimeText at={tunnel.createdAt} isExact />} />
          <Fact label="Id" text={tunnel.id} />
        </dl>
      </Card>
      <DeleteCard tunnel={tunnel} />
    </>
  )
}

function Fact({ label, text }: { label: string; text: ComponentChildren }) {
  return (
    <div class="min-w-0">
      <dt class="text-muted">{label}</dt>
      <dd class="font-medium break-all">{text}</dd>
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

/** Asks before a tunnel is deleted, and says what ends with it. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useLocation } from 'wouter-preact'
import { failureIn, useDeleteTunnel } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'

export function DeleteDialog({ tunnel, onClose }: { tunnel: Tunnel; onClose: () => void }) {
  const { live } = useServices()
  const [, navigate] = useLocation()
  const announce = useAnnounce()
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
    <ConfirmDialog
      title={`Delete ${tunnel.name}?`}
      action="Delete tunnel"
      onConfirm={confirm}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>
        {active > 0 && `${active} open ${active === 1 ? 'connection ends' : 'connections end'} at once. `}
        {tunnel.endpoint && (
          <>
            Nobody can reach <code class="font-mono text-sm break-all text-text">{tunnel.endpoint.url}</code>{' '}
            any more, and later it may go to somebody else.
          </>
        )}
        {!tunnel.endpoint && 'Its policy and its name are given up.'}
      </p>
      <p>An agent that still asks for a tunnel of this name creates a new one.</p>
    </ConfirmDialog>
  )
}

/** The kill switch's dialogs: an operator takes a tunnel down, or puts it back. */
import { useOperatorAct } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { ReasonDialog } from './operator-dialogs.tsx'

export type Target = { readonly id: string; readonly name: string }
type Close = { readonly target: Target; readonly onClose: () => void }

export function TakeDownDialog({ target: { id, name }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const act = useOperatorAct(
    (reason: string) => calls.takeTunnelDown(id, { reason }),
    () => {
      announce(`${name} is taken down`)
      onClose()
    },
  )
  return (
    <ReasonDialog
      title={`Take ${name} down?`}
      action="Take it down"
      hint="The owners of the account are told it, by mail and on the page of the tunnel."
      isDanger
      onSubmit={(reason) => act.mutate(reason)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>
        Its visitors are cut within seconds and told that it was taken down. No agent can serve it, and nobody
        gets its address, until you put it back.
      </p>
      <p>Other tunnels of the account go on. To stop them all, suspend the account.</p>
    </ReasonDialog>
  )
}

export function RestoreDialog({ target: { id, name }, onClose }: Close) {
  const { calls } = useServices()
  const announce = useAnnounce()
  const act = useOperatorAct(
    () => calls.restoreTunnel(id),
    () => {
      announce(`${name} may be served again`)
      onClose()
    },
  )
  return (
    <ConfirmDialog
      title={`Put ${name} back?`}
      action="Put it back"
      onConfirm={() => act.mutate(undefined)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p>Agents that still ask serve it again within ten minutes, and its owners get a mail.</p>
    </ConfirmDialog>
  )
}

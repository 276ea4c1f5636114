/** Gives a tunnel another name. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useTunnel, useUpdateTunnel } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'

export function RenameTunnelDialog({ tunnel, onClose }: { tunnel: Tunnel; onClose: () => void }) {
  const announce = useAnnounce()
  const update = useUpdateTunnel(tunnel.id)
  const query = useTunnel(tunnel.id)
  const form = useApiForm({
    initial: { name: tunnel.name },
    version: {
      revision: tunnel.revision,
      newest: async () => {
        const { data } = await query.refetch()
        return data && { values: { name: data.name }, revision: data.revision }
      },
    },
    act: update,
    toWish: ({ name }, revision) => ({ change: { name: name.trim() }, revision }),
    onSent: () => {
      announce('The tunnel has its new name.')
      onClose()
    },
  })
  return (
    <Dialog title={`Rename ${tunnel.name}`} onClose={onClose}>
      <FormOf
        form={form}
        action="Rename"
        isDisabled={!form.isDirty}
        names={{ name: 'its name' }}
        onCancel={onClose}
      >
        <TextField
          label="Name"
          hint="An agent that asks for the old name makes a new tunnel: change it there too."
          required
          autofocus
          maxLength={40}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          {...form.text('name')}
        />
      </FormOf>
    </Dialog>
  )
}

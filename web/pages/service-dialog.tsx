/** Adds a member that is no person: a program with keys of its own, which stay when people leave. */
import type { Member } from '@porttunneler/shared/api/schemas/accounts'
import { useCreateService } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { roleTexts } from '../parts/role-text.ts'

const roles = ['admin', 'developer', 'viewer'] as const
type ServiceRole = (typeof roles)[number]

export function ServiceDialog({
  onClose,
  onMade,
}: {
  onClose: () => void
  onMade: (member: Member) => void
}) {
  const announce = useAnnounce()
  const create = useCreateService({
    onDone: (member) => {
      announce(`Added: ${member.name ?? ''}`)
      onMade(member)
    },
  })
  const form = useApiForm({
    initial: { name: '', role: 'developer' },
    act: create,
    toWish: ({ name, role }) => ({ name: name.trim(), role: role as ServiceRole }),
  })
  return (
    <Dialog title="Add a service" onClose={onClose}>
      <FormOf form={form} action="Add, and create its key" onCancel={onClose}>
        <TextField
          label="Name"
          hint="A build server, for example. Its keys go on when the person who made them leaves."
          required
          autofocus
          maxLength={40}
          autocomplete="off"
          {...form.text('name')}
        />
        <SelectField
          label="As"
          hint={roleTexts[form.values.role as ServiceRole].meaning}
          {...form.choice('role')}
        >
          {roles.map((one) => (
            <option key={one} value={one}>
              {roleTexts[one].label}
            </option>
          ))}
        </SelectField>
      </FormOf>
    </Dialog>
  )
}

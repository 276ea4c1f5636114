/** Adds a member that is no person: a program with keys of its own, which stay when people leave. */
import type { Member } from '@porttunneler/shared/api/schemas/accounts'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useCreateService } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
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
  const [name, setName] = useState('')
  const [role, setRole] = useState<ServiceRole>('developer')
  const create = useCreateService({
    onDone: (member) => {
      announce(`Added: ${name.trim()}`)
      onMade(member)
    },
  })
  const failure = failureIn(create)
  return (
    <Dialog title="Add a service" onClose={onClose}>
      <form
        class="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          create.mutate({ name: name.trim(), role })
        }}
      >
        <TextField
          label="Name"
          hint="A build server, for example. Its keys go on when the person who made them leaves."
          required
          autofocus
          maxLength={40}
          autocomplete="off"
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
        <SelectField
          label="As"
          hint={roleTexts[role].meaning}
          value={role}
          onChange={({ currentTarget }) => setRole(currentTarget.value as ServiceRole)}
        >
          {roles.map((one) => (
            <option key={one} value={one}>
              {roleTexts[one].label}
            </option>
          ))}
        </SelectField>
        {failure && <ProblemNotice failure={failure} />}
        <div class="flex flex-wrap justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="accent" isBusy={create.isPending}>
            Add, and create its key
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** On the account page: the account's name, which members and invited people see, and the form to change it. */
import { useRenameAccount } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'
import { Card } from '../parts/page.tsx'

/** As the API has it (accountUpdateSchema). */
const nameLengthMax = 80

export function AccountNameCard({ name }: { name: string }) {
  const announce = useAnnounce()
  const rename = useRenameAccount({ onDone: () => announce('The account has its new name.') })
  const form = useApiForm({
    initial: { name },
    act: rename,
    toWish: (typed) =>
      typed.name.trim() === '' ? new Wrong({ name: 'It needs a name.' }) : { name: typed.name.trim() },
  })
  return (
    <Card title="Name of the account">
      <FormOf
        form={form}
        label="Name of the account"
        action="Rename"
        look="plain"
        place="card"
        isDisabled={!form.isDirty}
      >
        <TextField
          label="Name"
          hint="Members see it, and whoever is invited."
          maxLength={nameLengthMax}
          autocomplete="organization"
          required
          {...form.text('name')}
        />
      </FormOf>
    </Card>
  )
}

/** On the account page: the account's name, which members and invited people see, and the form to change it. */
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useRenameAccount } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

/** As the API has it (accountUpdateSchema). */
const nameLengthMax = 80

export function AccountNameCard({ name }: { name: string }) {
  const announce = useAnnounce()
  const [typed, setTyped] = useState<string>()
  const rename = useRenameAccount({
    onDone: () => {
      setTyped(undefined)
      announce('The account has its new name.')
    },
  })
  const wanted = (typed ?? name).trim()
  const failure = failureIn(rename)
  return (
    <Card title="Name of the account">
      <form
        aria-label="Name of the account"
        class="max-w-md space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          if (wanted !== '' && wanted !== name) rename.mutate({ name: wanted })
        }}
      >
        <TextField
          label="Name"
          hint="Members see it, and whoever is invited."
          value={typed ?? name}
          maxLength={nameLengthMax}
          autocomplete="organization"
          required
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        {failure && <ProblemNotice failure={failure} />}
        <Button type="submit" isBusy={rename.isPending} disabled={wanted === '' || wanted === name}>
          Rename
        </Button>
      </form>
    </Card>
  )
}

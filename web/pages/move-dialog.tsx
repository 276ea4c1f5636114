/** Moves a kept name or port to another account of the person. */
import { useState } from 'preact/hooks'
import { type Kept, type KeptKind, useMoveKept } from '../api/kept-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function MoveDialog({
  kind,
  kept,
  address,
  others,
  onClose,
}: {
  kind: KeptKind
  kept: Kept
  address: string
  /** At least one. */
  others: readonly { readonly id: string; readonly name: string }[]
  onClose: () => void
}) {
  const announce = useAnnounce()
  const [account, setAccount] = useState(others[0]?.id ?? '')
  const move = useMoveKept(kind, () => {
    announce(`Moved: ${address}`)
    onClose()
  })
  const failure = failureIn(move)
  return (
    <Dialog title={`Move ${address}`} onClose={onClose}>
      <form
        class="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          move.mutate({ kept, account })
        }}
      >
        <SelectField
          label="To the account"
          hint="This account has it no longer. A tunnel of this account that uses it gets another address."
          autofocus
          value={account}
          onChange={({ currentTarget }) => setAccount(currentTarget.value)}
        >
          {others.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
        {failure && <ProblemNotice failure={failure} />}
        <div class="flex flex-wrap justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="danger" isBusy={move.isPending}>
            Move
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

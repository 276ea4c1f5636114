/** Moves a kept name or port to another account of the person. */
import { type Kept, type KeptKind, useMoveKept } from '../api/kept-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { SelectField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'

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
  const move = useMoveKept(kind, () => {
    announce(`Moved: ${address}`)
    onClose()
  })
  const form = useApiForm({
    initial: { account: others[0]?.id ?? '' },
    act: move,
    toWish: ({ account }) => ({ kept, account }),
  })
  return (
    <Dialog title={`Move ${address}`} onClose={onClose}>
      <FormOf form={form} action="Move" look="danger" onCancel={onClose}>
        <SelectField
          label="To the account"
          hint="This account has it no longer. A tunnel of this account that uses it gets another address."
          autofocus
          {...form.choice('account')}
        >
          {others.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
      </FormOf>
    </Dialog>
  )
}

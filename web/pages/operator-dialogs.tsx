/** Dialogs of the operator pages: each act has a reason, which goes into the audit log. */
import type { ComponentChildren } from 'preact'
import type { ApiFailure } from '../api/failure.ts'
import { useBeginView } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'

const reasonChars = { min: 3, max: 500 } as const

export function ReasonDialog({
  title,
  action,
  isDanger = false,
  onSubmit,
  onClose,
  isBusy,
  failure,
  hint = 'It goes into the audit log, which the owners of the account can read.',
  children,
}: {
  title: string
  hint?: string
  /** The verb on the button. */
  action: string
  isDanger?: boolean
  onSubmit: (reason: string) => void
  onClose: () => void
  isBusy: boolean
  failure: ApiFailure | undefined
  children: ComponentChildren
}) {
  const form = useApiForm({
    initial: { reason: '' },
    act: {
      isPending: isBusy,
      error: failure ?? null,
      mutate: (reason: string) => onSubmit(reason),
      reset: () => undefined,
    },
    toWish: ({ reason }) =>
      reason.trim().length >= reasonChars.min
        ? reason.trim()
        : new Wrong({ reason: 'Say why in a few words.' }),
  })
  return (
    <Dialog title={title} onClose={onClose}>
      <FormOf form={form} action={action} look={isDanger ? 'danger' : 'accent'} onCancel={onClose}>
        <div class="space-y-2 text-muted">{children}</div>
        <TextField
          label="Reason"
          hint={hint}
          autocomplete="off"
          required
          autofocus
          maxLength={reasonChars.max}
          {...form.text('reason')}
        />
      </FormOf>
    </Dialog>
  )
}

export type ViewWish = {
  readonly account: string
  readonly accountName: string
  /** A member to see it as; else as an owner. */
  readonly person?: { readonly id: string; readonly email: string } | undefined
}

export function ViewDialog({ wish, onClose }: { wish: ViewWish; onClose: () => void }) {
  const begin = useBeginView()
  const { account, accountName, person } = wish
  return (
    <ReasonDialog
      title={person ? `View ${accountName} as ${person.email}?` : `View ${accountName}?`}
      action="Begin the view"
      onSubmit={(reason) => begin.mutate({ account, reason, ...(person && { person: person.id }) })}
      onClose={onClose}
      isBusy={begin.isPending}
      failure={failureIn(begin)}
    >
      <p>
        For half an hour you see the console as {person ? 'this member sees it' : 'an owner sees it'}. You
        cannot change anything, and keys, exports and live figures stay closed.
      </p>
      <p>
        The owners{person && ' and this member'} get a mail when the view ends. Their audit log says who
        looked, why, and at what.
      </p>
    </ReasonDialog>
  )
}

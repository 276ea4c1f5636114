/** Dialogs of the operator pages: each act has a reason, which goes into the audit log. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { ApiFailure } from '../api/failure.ts'
import { useBeginView } from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

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
  const [reason, setReason] = useState('')
  const [error, setError] = useState<string>()
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          const isLong = reason.trim().length >= reasonChars.min
          setError(isLong ? undefined : 'Say why in a few words.')
          if (isLong) onSubmit(reason.trim())
        }}
      >
        <div class="space-y-2 text-muted">{children}</div>
        <TextField
          label="Reason"
          hint={hint}
          autocomplete="off"
          required
          autofocus
          maxLength={reasonChars.max}
          value={reason}
          error={error}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
        {failure && <ProblemNotice failure={failure} />}
        <div class="flex flex-wrap justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look={isDanger ? 'danger' : 'accent'} isBusy={isBusy}>
            {action}
          </Button>
        </div>
      </form>
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

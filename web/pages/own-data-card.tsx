/** Own data: a file with all that is stored about the person or, for owners, the account; and the deletion of both. */
import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { saveFile } from '../parts/save-file.ts'

export function OwnDataCard({ me }: { me: Me }) {
  return (
    <Card title="Your data">
      <p class="max-w-prose text-muted">
        A file has all that is stored, without secrets, for you to keep or to take elsewhere. This account is{' '}
        <span class="break-words">{me.accountName}</span>.
      </p>
      <ExportButtons isOwner={me.permissions.includes('account.close')} />
      <Deletions me={me} />
    </Card>
  )
}

function Deletions({ me }: { me: Me }) {
  const { calls } = useServices()
  const client = useQueryClient()
  const [asked, setAsked] = useState<'account' | 'person'>()
  const onSuccess = () => client.resetQueries()
  const account = useMutation({ mutationFn: calls.closeAccount, onSuccess })
  const person = useMutation({ mutationFn: calls.deletePerson, onSuccess })
  return (
    <>
      <p class="mt-6 max-w-prose text-muted">
        A deletion can be undone for 14 days. Until then nothing works.
      </p>
      <div class="mt-4 flex flex-wrap gap-3">
        {me.permissions.includes('account.close') && (
          <Button look="danger" onClick={() => setAsked('account')}>
            Delete this account
          </Button>
        )}
        <Button look="danger" onClick={() => setAsked('person')}>
          Delete my sign-in
        </Button>
      </div>
      {asked === 'account' && (
        <ConfirmDialog
          title={`Delete the account ${me.accountName}?`}
          action="Delete the account"
          onConfirm={() => account.mutate()}
          onClose={() => setAsked(undefined)}
          isBusy={account.isPending}
          failure={failureIn(account)}
        >
          <p>Its tunnels go offline and its keys are refused at once, for all its people.</p>
          <p>After 14 days everything in it is erased. Until then an owner can undo it.</p>
        </ConfirmDialog>
      )}
      {asked === 'person' && (
        <ConfirmDialog
          title="Delete your sign-in?"
          action="Delete my sign-in"
          onConfirm={() => person.mutate()}
          onClose={() => setAsked(undefined)}
          isBusy={person.isPending}
          failure={failureIn(person)}
        >
          <p>Your keys are refused and what they serve goes offline at once, in every account.</p>
          <p>
            After 14 days you are erased, with accounts that nobody else uses. Sign in until then to undo it.
          </p>
        </ConfirmDialog>
      )}
    </>
  )
}

/** Also on the page of what is being deleted. */
export function ExportButtons({ isOwner }: { isOwner: boolean }) {
  const { calls } = useServices()
  const person = useExport(calls.exportPerson, 'porttunneler-person.json')
  const account = useExport(calls.exportAccount, 'porttunneler-account.json')
  const failure = failureIn(person) ?? failureIn(account)
  return (
    <div class="mt-4 space-y-4">
      <div class="flex flex-wrap gap-3">
        <Button onClick={() => person.mutate()} isBusy={person.isPending}>
          Export what is stored about you
        </Button>
        {isOwner && (
          <Button onClick={() => account.mutate()} isBusy={account.isPending}>
            Export this account
          </Button>
        )}
      </div>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}

function useExport(read: () => Promise<Blob>, name: string) {
  const announce = useAnnounce()
  return useMutation({
    mutationFn: read,
    gcTime: 0,
    onSuccess: (file) => {
      saveFile(file, name)
      announce(`${name} was saved.`)
    },
  })
}

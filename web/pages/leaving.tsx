/** What somebody sees whose sign-in, or chosen account, is being deleted: until when, the way back, and the export. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { useAccounts } from '../api/team-queries.ts'
import { Button } from '../parts/button.tsx'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { ExportButtons } from './own-data-card.tsx'

export function LeavingPage() {
  const { calls, accountId, switchAccount } = useServices()
  const client = useQueryClient()
  const signOut = useSignOut()
  const accounts = useAccounts()
  const onSuccess = () => client.resetQueries()
  const keepPerson = useMutation({ mutationFn: calls.keepPerson, onSuccess })
  const keepAccount = useMutation({ mutationFn: calls.keepAccount, onSuccess })
  const failure = failureIn(accounts) ?? failureIn(keepPerson) ?? failureIn(keepAccount)
  const items = accounts.data?.items ?? []
  const personAt = accounts.data?.leavingAt
  const here = items.find(({ id }) => id === accountId()) ?? items.find(({ leavingAt }) => leavingAt)
  const others = items.filter(({ id, leavingAt }) => id !== here?.id && leavingAt === undefined)
  return (
    <>
      <Heading title={personAt ? 'Your sign-in is being deleted' : 'This account is being deleted'} />
      <div class="mt-3 space-y-4">
        {failure && <ProblemNotice failure={failure} />}
        {accounts.isPending && <Skeleton what="what is being deleted" rows={2} />}
        {personAt !== undefined && (
          <p class="text-muted">
            On <TimeText at={personAt} isExact /> everything that is stored about you is erased. Until then
            nothing of it is used.
          </p>
        )}
        {personAt === undefined && here?.leavingAt !== undefined && (
          <p class="text-muted">
            On <TimeText at={here.leavingAt} isExact /> everything in {here.name} is erased. Until then its
            tunnels are offline.
          </p>
        )}
        <div class="grid gap-3">
          {personAt !== undefined && (
            <Button look="accent" onClick={() => keepPerson.mutate()} isBusy={keepPerson.isPending}>
              Keep my sign-in
            </Button>
          )}
          {personAt === undefined && here?.role === 'owner' && (
            <Button look="accent" onClick={() => keepAccount.mutate()} isBusy={keepAccount.isPending}>
              Keep {here.name}
            </Button>
          )}
          {personAt === undefined && here !== undefined && here.role !== 'owner' && (
            <p class="text-muted">Only an owner can undo it.</p>
          )}
          {personAt === undefined &&
            others.map(({ id, name }) => (
              <Button key={id} onClick={() => switchAccount(id)}>
                Go to {name}
              </Button>
            ))}
          <Button onClick={() => signOut.mutate({ everywhere: false })} isBusy={signOut.isPending}>
            Sign out
          </Button>
        </div>
        <ExportButtons isOwner={here?.role === 'owner'} />
      </div>
    </>
  )
}

/** Where the person is signed in: each session with its device, and ways to end one, the others, or all. */
import type { SignIn } from '@porttunneler/shared/api/schemas/sign-ins'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { type NamedService, signInText } from '../parts/sign-in-text.ts'
import { TimeText } from '../parts/time-text.tsx'

const queryKey = ['sign-ins']

export function SessionsCard() {
  const { calls } = useServices()
  const [isAsking, setAsking] = useState(false)
  const query = useQuery({ queryKey, queryFn: ({ signal }) => calls.signIns(signal) })
  const signOut = useSignOut()
  const everywhere = useSignOut()
  const failure = failureIn(query)
  const items = query.data?.items ?? []
  return (
    <Card title="Sessions">
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton what="the sessions" />}
      {items.length > 0 && (
        <ul aria-label="Sessions" class="divide-y divide-line">
          {items.map((one) => (
            <SessionRow key={one.id} session={one} />
          ))}
        </ul>
      )}
      {items.length > 1 && <EndOthers />}
      <p class="mt-4 max-w-prose text-muted">
        Signing out everywhere ends every browser session of yours. API keys stay, and so do running tunnels.
      </p>
      <div class="mt-4 flex flex-wrap gap-3">
        <Button onClick={() => signOut.mutate({ everywhere: false })} isBusy={signOut.isPending}>
          Sign out
        </Button>
        <Button look="danger" onClick={() => setAsking(true)}>
          Sign out everywhere
        </Button>
      </div>
      {isAsking && (
        <ConfirmDialog
          title="Sign out everywhere?"
          action="Sign out everywhere"
          onConfirm={() => everywhere.mutate({ everywhere: true })}
          onClose={() => setAsking(false)}
          isBusy={everywhere.isPending}
          failure={failureIn(everywhere)}
        >
          <p>You sign in again in each browser, this one included.</p>
        </ConfirmDialog>
      )}
    </Card>
  )
}

/** The services of either platform, each as the page of signing in names it. */
function useSignInServices(): readonly NamedService[] {
  const { services = [], firebase } = useConfig().data ?? {}
  return [...services, ...(firebase?.issuers ?? [])]
}

function SessionRow({ session }: { session: SignIn }) {
  const { calls } = useServices()
  const queries = useQueryClient()
  const announce = useAnnounce()
  const end = useMutation({
    mutationFn: calls.endSignIn,
    onSuccess: () => announce('The session was ended.'),
    onSettled: () => queries.invalidateQueries({ queryKey }),
  })
  const failure = failureIn(end)
  const services = useSignInServices()
  const { id, current, device, from, method, signedInAt, lastUsedAt } = session
  return (
    <li class="flex flex-wrap items-center justify-between gap-3 py-3">
      <p class="min-w-0">
        <span class="block font-medium break-words">
          {device}
          {current && <span class="text-muted"> · this one</span>}
        </span>
        <span class="text-sm break-words text-muted">
          {from === '' ? 'from an unknown network' : `from ${from}`} · signed in <TimeText at={signedInAt} />{' '}
          {signInText(method, services)} · last used <TimeText at={lastUsedAt} />
        </span>
      </p>
      {!current && (
        <Button
          onClick={() => end.mutate(id)}
          isBusy={end.isPending}
          aria-label={`End the session of ${device}`}
        >
          End
        </Button>
      )}
      {failure && <ProblemNotice failure={failure} />}
    </li>
  )
}

function EndOthers() {
  const { calls } = useServices()
  const queries = useQueryClient()
  const announce = useAnnounce()
  const end = useMutation({
    mutationFn: () => calls.endOtherSignIns(),
    onSuccess: () => announce('All other sessions were ended.'),
    onSettled: () => queries.invalidateQueries({ queryKey }),
  })
  const failure = failureIn(end)
  return (
    <div class="mt-3 space-y-3">
      {failure && <ProblemNotice failure={failure} />}
      <Button onClick={() => end.mutate()} isBusy={end.isPending}>
        End all other sessions
      </Button>
    </div>
  )
}

/** The page that an invitation's link leads to: what it offers, and the button that accepts it. */
import { useMutation } from '@tanstack/react-query'
import { useSearch } from 'wouter-preact'
import { failureIn, useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { useInvitation } from '../api/team-queries.ts'
import { Button, ButtonLink } from '../parts/button.tsx'
import { Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { roleTexts } from '../parts/role-text.ts'

export function JoinPage() {
  const { calls, switchAccount } = useServices()
  const token = new URLSearchParams(useSearch()).get('invitation') ?? ''
  const invitation = useInvitation(token)
  const me = useMe()
  const accept = useMutation({
    mutationFn: () => calls.acceptInvitation(token),
    onSuccess: ({ account }) => switchAccount(account),
  })
  const failure = failureIn(invitation)
  return (
    <>
      <Heading title="Invitation" />
      <div class="mt-4 space-y-5">
        {invitation.isPending && <Skeleton what="the invitation" />}
        {failure && <Refused failure={failure} />}
        {invitation.data && (
          <>
            <p>
              <strong class="font-semibold break-words">{invitation.data.by}</strong> invites you to the
              account <strong class="font-semibold break-words">{invitation.data.accountName}</strong>, as{' '}
              {roleTexts[invitation.data.role].label.toLowerCase()}.
            </p>
            <p class="text-sm text-muted">{roleTexts[invitation.data.role].meaning}</p>
            {accept.error && <Refused failure={failureIn(accept)} />}
            <div class="grid gap-3">
              <Button look="accent" onClick={() => accept.mutate()} isBusy={accept.isPending}>
                Join
              </Button>
              <ButtonLink href="/">Not now</ButtonLink>
            </div>
            {me.data?.email && <p class="text-sm text-muted">You are signed in as {me.data.email}.</p>}
          </>
        )}
      </div>
    </>
  )
}

/** Somebody may be signed in with another address than the invited one. */
function Refused({ failure }: { failure: ReturnType<typeof failureIn> }) {
  const signOut = useSignOut()
  if (!failure) return null
  return (
    <div class="space-y-4">
      <ProblemNotice failure={failure} />
      <div class="grid gap-3">
        {failure.problem.code === 'PT-1117' && (
          <Button onClick={() => signOut.mutate({ everywhere: false })} isBusy={signOut.isPending}>
            Sign out
          </Button>
        )}
        <ButtonLink href="/">Go to the tunnels</ButtonLink>
      </div>
    </div>
  )
}

/** For a person who has signed in and has no account yet, where accounts are by invitation: asks for the code. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { forgetInvite, keptInvite } from '../parts/kept-invite.ts'
import { Heading } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function InvitationPage() {
  const { calls } = useServices()
  const client = useQueryClient()
  const signOut = useSignOut()
  const [code, setCode] = useState(keptInvite)
  const join = useMutation({
    mutationFn: calls.createAccount,
    onSuccess: () => {
      forgetInvite()
      return client.resetQueries()
    },
  })
  const failure = failureIn(join)
  return (
    <>
      <Heading title="You need an invitation" />
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          join.mutate(code.trim())
        }}
      >
        <p class="text-muted">
          You are signed in. This service is in its beta, so an account needs an invite code.
        </p>
        {failure && <ProblemNotice failure={failure} />}
        <TextField
          label="Invite code"
          autocomplete="off"
          spellcheck={false}
          required
          autofocus
          maxLength={200}
          value={code}
          onInput={(event) => setCode(event.currentTarget.value)}
        />
        <div class="grid gap-3 pt-1">
          <Button type="submit" look="accent" isBusy={join.isPending}>
            Create the account
          </Button>
          <Button onClick={() => signOut.mutate({ everywhere: false })} isBusy={signOut.isPending}>
            Sign out
          </Button>
        </div>
      </form>
      <p class="mt-5 text-sm">
        <TextLink href="/wait-list">No code? Join the waiting list</TextLink>
      </p>
    </>
  )
}

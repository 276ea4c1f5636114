/** The pages that the links of a change of address lead to. A button acts, because mail programs follow links. */
import { useMutation } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { useSearch } from 'wouter-preact'
import { failureIn, useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { Heading } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function ConfirmAddressPage() {
  const { calls } = useServices()
  const token = useToken()
  const me = useMe()
  const confirm = useMutation({
    mutationFn: () => calls.confirmAddressChange({ token }),
    onSuccess: () => void me.refetch(),
  })
  const isChanged = confirm.data?.changed
  return (
    <LinkPage title="Change of address">
      {isChanged === undefined && <p>Follow through only if you asked for it yourself.</p>}
      {isChanged === true && <p role="status">Done: your address has changed.</p>}
      {isChanged === false && (
        <p role="status">
          Thank you. The change is complete when the link in the other mail was followed, too.
        </p>
      )}
      <Failure of={confirm} />
      <div class="grid gap-3">
        {isChanged === undefined && (
          <Button look="accent" onClick={() => confirm.mutate()} isBusy={confirm.isPending}>
            Confirm the change
          </Button>
        )}
        <ButtonLink href="/account">Go to the account</ButtonLink>
      </div>
      {me.data?.email && <p class="text-sm text-muted">You are signed in as {me.data.email}.</p>}
    </LinkPage>
  )
}

export function StopAddressPage() {
  const { calls } = useServices()
  const token = useToken()
  const stop = useMutation({ mutationFn: () => calls.stopAddressChange({ token }) })
  return (
    <LinkPage title="Keep the present address">
      {stop.isSuccess ? (
        <p role="status">
          The address stays. If you did not ask for the change, somebody was signed in as you: set a new
          password at once.
        </p>
      ) : (
        <p>This stops the change of the address. You need not be signed in.</p>
      )}
      <Failure of={stop} />
      <div class="grid gap-3">
        {stop.isSuccess ? (
          <ButtonLink href="/forgot-password">Set a new password</ButtonLink>
        ) : (
          <Button look="danger" onClick={() => stop.mutate()} isBusy={stop.isPending}>
            Stop the change
          </Button>
        )}
      </div>
    </LinkPage>
  )
}

function LinkPage({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <>
      <Heading title={title} />
      <div class="mt-4 space-y-5">{children}</div>
    </>
  )
}

function Failure({ of }: { of: Parameters<typeof failureIn>[0] }) {
  const failure = failureIn(of)
  return failure ? <ProblemNotice failure={failure} /> : null
}

function useToken(): string {
  return new URLSearchParams(useSearch()).get('token') ?? ''
}

/** The waiting list, where accounts are by invitation: asking for a place, and the page that the mail links to. */
import { useMutation } from '@tanstack/react-query'
import { useSearch } from 'wouter-preact'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { LinkRequest } from '../parts/link-request.tsx'
import { Heading } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function WaitListPage() {
  const { calls } = useServices()
  const token = new URLSearchParams(useSearch()).get('token') ?? ''
  if (token !== '') return <ConfirmPlace token={token} />
  return (
    <>
      <Heading title="Join the waiting list" />
      <LinkRequest
        send={(email) => calls.joinWaitList({ email })}
        action="Join"
        done="Your address is noted"
        intro="This service is in its beta. Leave your address, and we send an invitation when there is a place."
        sent={(email) => (
          <>
            If {email} gets a mail from us in the next minutes, open its link: it confirms that you want to
            wait.
          </>
        )}
      />
    </>
  )
}

/** A button, since programs that look at mails follow links by themselves. */
function ConfirmPlace({ token }: { token: string }) {
  const { calls } = useServices()
  const confirm = useMutation({ mutationFn: () => calls.confirmWaitList({ token }), gcTime: 0 })
  const failure = failureIn(confirm)
  if (confirm.isSuccess)
    return (
      <div role="status">
        <Heading title="You are on the list" />
        <p class="mt-3 text-muted">An invitation comes by mail when there is a place for you.</p>
        <div class="mt-5 grid">
          <ButtonLink href="/sign-in">Back to sign-in</ButtonLink>
        </div>
      </div>
    )
  return (
    <>
      <Heading title="Join the waiting list" />
      <div class="mt-3 space-y-4">
        <p class="text-muted">Confirm that this address is yours, and that you want an invitation.</p>
        {failure && <ProblemNotice failure={failure} />}
        <div class="grid">
          <Button look="accent" onClick={() => confirm.mutate()} isBusy={confirm.isPending}>
            Confirm
          </Button>
        </div>
      </div>
    </>
  )
}

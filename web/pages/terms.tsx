/** The operator's documents that the person has not accepted yet: links, one button, and what else is possible. */
import type { OwnTerms } from '@porttunneler/shared/api/schemas/terms'
import { useLocation } from 'wouter-preact'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useSignOut } from '../api/sign-out.ts'
import { useAcceptTerms, useOwnTerms, usePutOffTerms } from '../api/terms-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { formatDay } from '../parts/format.ts'
import { Card, Heading, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TermsList } from '../parts/terms-list.tsx'

export function TermsPage() {
  const { clock } = useServices()
  const terms = useOwnTerms()
  const signOut = useSignOut()
  const putOff = usePutOffTerms()
  const [path, navigate] = useLocation()
  const onDone = () => {
    putOff()
    if (path === '/terms') navigate('/', { replace: true })
  }
  const failure = failureIn(terms)
  const { data } = terms
  const isChange = data?.items.some(({ accepted, dueAt }) => accepted && dueAt !== undefined)
  const isDue = data?.dueAt !== undefined && data.dueAt <= clock.now()
  return (
    <>
      <Heading title={isChange ? 'The terms have changed' : 'Terms'} />
      <div class="mt-3 space-y-4">
        {failure && <ProblemNotice failure={failure} onRetry={() => void terms.refetch()} />}
        {terms.isLoading && <Skeleton what="the documents" rows={2} />}
        {data && data.dueAt === undefined && <p class="text-muted">There is nothing to accept.</p>}
        {data && <Open terms={data} onDone={onDone} />}
        <div class="grid gap-3">
          {!isDue && <Button onClick={onDone}>{data?.dueAt === undefined ? 'Go on' : 'Not now'}</Button>}
          <Button onClick={() => signOut.mutate({ everywhere: false })} isBusy={signOut.isPending}>
            Sign out
          </Button>
        </div>
        {isDue && (
          <p class="text-sm text-muted">
            You can still <TextLink href="/data">export or delete your data</TextLink>.
          </p>
        )}
      </div>
    </>
  )
}

/** What is open, and the button. Shows nothing when nothing is. */
function Open({ terms, onDone }: { terms: OwnTerms; onDone: () => void }) {
  const announce = useAnnounce()
  const accept = useAcceptTerms(() => {
    announce('Accepted.')
    onDone()
  })
  const failure = failureIn(accept)
  const open = terms.items.filter(({ dueAt }) => dueAt !== undefined)
  if (terms.dueAt === undefined) return null
  return (
    <div class="space-y-4">
      <DueText dueAt={terms.dueAt} />
      <TermsList items={open} />
      {failure && <ProblemNotice failure={failure} />}
      <div class="grid">
        <Button look="accent" onClick={() => accept.mutate(terms)} isBusy={accept.isPending}>
          {open.length === 1 ? 'I have read and accept it' : 'I have read and accept them'}
        </Button>
      </div>
    </div>
  )
}

function DueText({ dueAt }: { dueAt: number }) {
  const { clock } = useServices()
  const day = formatDay(new Date(dueAt - 1).toISOString().slice(0, 10))
  if (dueAt > clock.now())
    return (
      <p class="text-muted">
        Please accept by {day} (UTC). After that day nothing can be changed until you do, by you or with keys
        that you made.
      </p>
    )
  return (
    <p class="text-muted">
      Nothing can be changed until you accept, by you or with keys that you made. Tunnels that are online stay
      online.
    </p>
  )
}

/** On the account page: what was accepted, and when. */
export function TermsCard() {
  const terms = useOwnTerms()
  if (!terms.data || terms.data.items.length === 0) return null
  const rest = terms.data.items.filter(({ dueAt }) => dueAt === undefined)
  return (
    <Card title="Terms">
      <div class="max-w-prose space-y-4">
        <Open terms={terms.data} onDone={() => undefined} />
        {rest.length > 0 && <TermsList items={rest} />}
      </div>
    </Card>
  )
}

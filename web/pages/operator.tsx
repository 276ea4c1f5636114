/** Where operators begin: one field that finds people and accounts. The address keeps what was searched for. */
import { useEffect, useState } from 'preact/hooks'
import { Link, useLocation, useSearch } from 'wouter-preact'
import {
  useAccountSearch,
  useBillingDrift,
  useOperatorAct,
  usePeopleSearch,
  useViewNow,
} from '../api/operator-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, ButtonLink } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { formatCounted } from '../parts/format.ts'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AccountBadge, PersonBadge } from './operator-badges.tsx'

/** Those of operators are in the rail, which phones do not have. */
const operatorLinks = [
  ['/operator/abuse', 'Abuse'],
  ['/operator/relays', 'Relays'],
  ['/operator/revenue', 'Revenue and usage'],
  ['/operator/activity', 'Activity'],
  ['/operator/security', 'Security events'],
  ['/operator/logs', 'Log'],
  ['/operator/system', 'System'],
  ['/operator/retention', 'Retention and holds'],
  ['/operator/compliance', 'Compliance report'],
  ['/mails', 'Mails of this server'],
] as const

export function OperatorPage() {
  const search = new URLSearchParams(useSearch())
  const who = (search.get('who') ?? '').trim()
  return (
    <Page
      title="Operator"
      lead="People and accounts of this service."
      actions={
        <nav aria-label="Operator" class="flex flex-wrap gap-2">
          {operatorLinks.map(([href, label]) => (
            <span key={href} class={href.startsWith('/operator') ? 'lg:hidden' : undefined}>
              <ButtonLink href={href}>{label}</ButtonLink>
            </span>
          ))}
        </nav>
      }
    >
      <div class="space-y-5">
        {search.get('view') === 'over' && (
          <p role="status" class="rounded-xl border border-line bg-surface p-4">
            The view has ended. You are back on your own pages.
          </p>
        )}
        <ViewElsewhere />
        <div class="max-w-xl">
          <SearchForm key={who} who={who} />
        </div>
        {who === '' ? <p class="text-muted">Search to see somebody here.</p> : <Found who={who} />}
        <DriftCard />
      </div>
    </Page>
  )
}

/** Shown only while something differs: an operator has nothing to read otherwise. */
function DriftCard() {
  const { data } = useBillingDrift()
  if (!data || data.accounts.length === 0) return null
  return (
    <Card title="Different at Stripe">
      <p class="mb-2 text-muted">
        What these accounts pay for is not the same here and at Stripe.{' '}
        {data.more
          ? 'They are so many that nothing is put right by itself.'
          : 'Each is looked at again within a day.'}
      </p>
      <ul class="divide-y divide-line">
        {data.accounts.map(({ account, since, drift }) => (
          <li key={account} class="py-2">
            <Link href={`/operator/accounts/${account}`} class={row}>
              <span class="font-medium break-all">{account}</span>
              <span class="text-sm text-muted">
                since <TimeText at={since} isExact />
              </span>
            </Link>
            <ul class="text-sm break-words text-muted">
              {drift.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function SearchForm({ who }: { who: string }) {
  const [, navigate] = useLocation()
  const [text, setText] = useState(who)
  return (
    <search>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '') navigate(`/operator?${new URLSearchParams({ who: text.trim() })}`)
        }}
      >
        <TextField
          label="Search"
          hint="The beginning of an email address or of an account's name, or an id (usr_…, acc_…)."
          type="search"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          required
          maxLength={254}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <div class="mt-3">
          <Button type="submit" look="accent">
            Search
          </Button>
        </div>
      </form>
    </search>
  )
}

function Found({ who }: { who: string }) {
  // An id is of one kind; asking for the other finds nothing.
  return (
    <div class="grid gap-5 lg:grid-cols-2">
      {!who.startsWith('acc_') && <FoundPeople who={who} />}
      {!who.startsWith('usr_') && <FoundAccounts who={who} />}
    </div>
  )
}

const row =
  'flex min-h-12 flex-wrap items-center justify-between gap-x-3 gap-y-1 py-2 text-text no-underline hover:text-accent'

function FoundPeople({ who }: { who: string }) {
  const query = usePeopleSearch(who)
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Card title="People">
      <Results query={query} count={items.length} what="people">
        {items.map(({ id, email, status, leavingAt, accounts }) => (
          <li key={id}>
            <Link href={`/operator/people/${id}`} class={row}>
              <span class="min-w-0 font-medium break-all">{email}</span>
              <span class="flex flex-wrap items-center gap-2 text-sm text-muted">
                {formatCounted(accounts.length, 'account')}
                <PersonBadge status={status} leavingAt={leavingAt} />
              </span>
            </Link>
          </li>
        ))}
      </Results>
    </Card>
  )
}

function FoundAccounts({ who }: { who: string }) {
  const query = useAccountSearch(who)
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Card title="Accounts">
      <Results query={query} count={items.length} what="accounts">
        {items.map(({ id, name, plan, status }) => (
          <li key={id}>
            <Link href={`/operator/accounts/${id}`} class={row}>
              <span class="min-w-0 font-medium break-words">{name}</span>
              <span class="flex flex-wrap items-center gap-2 text-sm text-muted">
                {plan}
                <AccountBadge status={status} />
              </span>
            </Link>
          </li>
        ))}
      </Results>
    </Card>
  )
}

function Results({
  query,
  count,
  what,
  children,
}: {
  query: ReturnType<typeof usePeopleSearch> | ReturnType<typeof useAccountSearch>
  count: number
  what: string
  children: preact.ComponentChildren
}) {
  const failure = failureIn(query)
  return (
    <>
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton what={`the ${what}`} rows={2} />}
      {query.isSuccess && count === 0 && <p class="text-muted">No {what} found.</p>}
      {count > 0 && (
        <ul aria-label={`Found ${what}`} class="divide-y divide-line">
          {children}
        </ul>
      )}
      {query.hasNextPage && (
        <div class="mt-3">
          <Button onClick={() => void query.fetchNextPage()} isBusy={query.isFetchingNextPage}>
            Show more
          </Button>
        </div>
      )}
    </>
  )
}

/** A view that goes on in another tab, or in one that was closed. */
function ViewElsewhere() {
  const { calls, clock } = useServices()
  const query = useViewNow()
  const end = useOperatorAct(() => calls.endView())
  const [, setTick] = useState(0)
  const view = query.data?.view
  useEffect(() => {
    const timer = clock.every(30_000, () => setTick((tick) => tick + 1))
    return () => timer.clear()
  }, [clock])
  if (!view) return null
  const failure = failureIn(end)
  const minutes = Math.max(1, Math.ceil((view.endsAt - clock.now()) / 60_000))
  return (
    <div class="space-y-3 rounded-xl border border-danger/40 bg-danger-soft p-4">
      <p>
        You are viewing <strong class="break-words">{view.accountName}</strong>
        {view.email !== undefined && ` as ${view.email}`} in another tab, for {minutes} more min.
      </p>
      {failure && <ProblemNotice failure={failure} />}
      <Button onClick={() => end.mutate(undefined)} isBusy={end.isPending}>
        End that view
      </Button>
    </div>
  )
}

/** Security events of all accounts, for operators: by account, address or kind. The page's address keeps the filter. */
import { isSecurityKind, securityKinds } from '@porttunneler/shared/api/schemas/security-kinds'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import type { SecurityEventRow, SecurityWish } from '../api/operator-service-calls.ts'
import { useSecurityEvents } from '../api/operator-service-queries.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { formatCount } from '../parts/format.ts'
import { More, Reading } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

const path = '/operator/security'

export function OperatorSecurityPage() {
  const search = new URLSearchParams(useSearch())
  const wish = wishOf(search)
  const query = useSecurityEvents(wish)
  const events = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page
      title="Security events"
      lead="Of all accounts, the newest first. Repeated ones are counted by the hour."
      isBroad
    >
      <div class="space-y-5">
        <Filter key={search.toString()} wish={wish} />
        <Reading query={query} what="the events">
          {query.isSuccess && events.length === 0 && <p class="text-muted">No event is recorded.</p>}
          {events.length > 0 && (
            <DataTable label="Security events" columns={columns} rows={events} keyOf={({ id }) => id} />
          )}
          <More query={query} />
        </Reading>
      </div>
    </Page>
  )
}

/** One of them: the API takes no more. */
function wishOf(search: URLSearchParams): SecurityWish {
  for (const name of ['account', 'address', 'kind'] as const) {
    const value = search.get(name)?.trim()
    if (value) return { [name]: value }
  }
  return {}
}

function Filter({ wish }: { wish: SecurityWish }) {
  const [, navigate] = useLocation()
  const [text, setText] = useState(wish.account ?? wish.address ?? '')
  const go = (next: Record<string, string>) => navigate(`${path}?${new URLSearchParams(next)}`)
  const isFiltered = Object.keys(wish).length > 0
  return (
    <search>
      <form
        class="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const value = text.trim()
          if (value !== '') go(value.startsWith('acc_') ? { account: value } : { address: value })
        }}
      >
        <div class="w-full max-w-sm">
          <TextField
            label="Account id (acc_…) or network address"
            autocomplete="off"
            spellcheck={false}
            maxLength={64}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <Button type="submit">Search</Button>
        <div class="w-full sm:max-w-60">
          <SelectField
            label="Kind"
            value={wish.kind ?? ''}
            onChange={(event) => {
              const kind = event.currentTarget.value
              if (kind === '') navigate(path)
              else go({ kind })
            }}
          >
            <option value="">All kinds</option>
            {Object.entries(securityKinds).map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </SelectField>
        </div>
        {isFiltered && (
          <Button look="quiet" onClick={() => navigate(path)}>
            Show all
          </Button>
        )}
      </form>
    </search>
  )
}

const columns: readonly Column<SecurityEventRow>[] = [
  { head: 'Event', cell: ({ kind }) => (isSecurityKind(kind) ? securityKinds[kind] : kind) },
  { head: 'When', cell: ({ at }) => <TimeText at={at} /> },
  { head: 'Times', isNumber: true, cell: ({ count = 1 }) => formatCount(count) },
  {
    head: 'From',
    cell: ({ address }) =>
      address === '' ? (
        <span class="text-muted">the service</span>
      ) : (
        <TextLink href={`${path}?${new URLSearchParams({ address })}`}>{address}</TextLink>
      ),
  },
  {
    head: 'Account',
    cell: ({ account }) =>
      account === '' ? (
        <span class="text-muted">none</span>
      ) : (
        <span class="whitespace-nowrap">
          <TextLink href={`/operator/accounts/${account}`}>{short(account)}</TextLink>
        </span>
      ),
  },
  { head: 'By', cell: ({ actor }) => <Who id={actor} /> },
  { head: 'About', cell: ({ target }) => <Who id={target} /> },
  {
    head: 'More',
    cell: ({ reason, userAgent }) => (
      <span class="block max-w-40 truncate min-[90rem]:max-w-80 text-muted" title={reason ?? userAgent}>
        {reason ?? userAgent}
      </span>
    ),
  },
]

function Who({ id }: { id: string }) {
  if (id === 'anonymous') return <span class="text-muted">nobody known</span>
  const person = /usr_\w+$/.exec(id)?.[0]
  return (
    <span class="whitespace-nowrap">
      {id.startsWith('operator:') && 'operator '}
      {person ? <TextLink href={`/operator/people/${person}`}>{short(person)}</TextLink> : short(id)}
    </span>
  )
}

/** Ids are told apart by their ends. */
function short(id: string): string {
  return id.length > 24 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id
}

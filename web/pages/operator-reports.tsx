/** The queue of reports, for operators: those that are open, and what was decided; or all of one account. */
import {
  type Decision,
  decisions,
  decisionWords,
  shortKinds,
} from '@porttunneler/shared/api/schemas/report-words'
import { useState } from 'preact/hooks'
import { useSearch } from 'wouter-preact'
import type { Report } from '../api/operator-abuse-calls.ts'
import { useReports } from '../api/operator-abuse-queries.ts'
import { TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatCount } from '../parts/format.ts'
import { Choice, More, Reading, ToneBadge } from '../parts/operator-parts.tsx'
import { TimeText } from '../parts/time-text.tsx'

const states = [
  ['open', 'Open'],
  ...decisions.map((decision) => [decision, decisionWords[decision]] as const),
] as const

export function ReportsSection() {
  const account = (new URLSearchParams(useSearch()).get('account') ?? '').trim()
  const [state, setState] = useState<Report['state']>('open')
  const query = useReports(account === '' ? { state } : { account })
  const rows = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section aria-label="Reports" class="space-y-3">
      <h2 class="text-base font-semibold">Reports</h2>
      {account === '' ? (
        <Choice label="Which reports" value={state} options={states} onChange={setState} />
      ) : (
        <p class="text-muted">
          All reports of the account <TextLink href={`/operator/accounts/${account}`}>{account}</TextLink>.{' '}
          <TextLink href="/operator/abuse">Show those that are open</TextLink>
        </p>
      )}
      <Reading query={query} what="the reports">
        {query.isSuccess && rows.length === 0 && <p class="text-muted">No report.</p>}
        {rows.length > 0 && (
          <DataTable label="Reports" columns={columns} rows={rows} keyOf={({ id }) => id} />
        )}
        <More query={query} />
      </Reading>
    </section>
  )
}

export function CaseBadge({ state }: { state: Report['state'] }) {
  if (state === 'open') return <ToneBadge tone="warn">Open</ToneBadge>
  return <ToneBadge tone={tones[state]}>{decisionWords[state]}</ToneBadge>
}

const tones = {
  dismissed: 'none',
  warned: 'warn',
  taken_down: 'bad',
  suspended: 'bad',
} as const satisfies Record<Decision, string>

export const columns: readonly Column<Report>[] = [
  {
    head: 'Address',
    cell: ({ id, address }) => (
      <span class="break-all">
        <TextLink href={`/operator/abuse/${id}`}>{address}</TextLink>
      </span>
    ),
  },
  { head: 'What', cell: ({ kinds }) => kinds.map((kind) => shortKinds[kind]).join(', ') },
  { head: 'Reports', isNumber: true, cell: ({ count }) => formatCount(count) },
  { head: 'Last', cell: ({ lastAt }) => <TimeText at={lastAt} /> },
  { head: 'State', cell: ({ state }) => <CaseBadge state={state} /> },
  {
    head: 'Account',
    cell: ({ account }) =>
      account === '' ? (
        <span class="text-muted">none</span>
      ) : (
        <span class="whitespace-nowrap">
          <TextLink href={`/operator/accounts/${account}`}>
            {account.slice(0, 4)}…{account.slice(-6)}
          </TextLink>
        </span>
      ),
  },
]

/** The report for auditors: who has rights, whether the audit log is as it was sealed, who else gets data. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { ComplianceReport, ReportSpan } from '../api/operator-keeping-calls.ts'
import { useCompliancePage, useComplianceReport } from '../api/operator-keeping-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { TextField } from '../parts/field.tsx'
import { formatCount, formatCounted } from '../parts/format.ts'
import { ToneBadge } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { saveFile } from '../parts/save-file.ts'
import { TimeText } from '../parts/time-text.tsx'

const dayMs = 24 * 3_600_000
/** As the report itself takes it. */
const usualDays = 90

export function OperatorCompliancePage() {
  const make = useComplianceReport()
  const failure = failureIn(make)
  return (
    <Page
      title="Compliance"
      lead="What auditors ask for, from what is stored here. The audit log says who had a report."
      isBroad
    >
      <div class="space-y-8">
        <SpanForm onMake={(span) => make.mutate(span)} isBusy={make.isPending} />
        {failure && <ProblemNotice failure={failure} />}
        {make.isPending && (
          <p role="status" class="text-muted">
            The report is being made. Where there are many accounts, that takes up to a minute.
          </p>
        )}
        {make.data && <Made {...make.data} />}
      </div>
    </Page>
  )
}

function SpanForm({ onMake, isBusy }: { onMake: (span: ReportSpan) => void; isBusy: boolean }) {
  const { clock } = useServices()
  const [days, setDays] = useState(() => {
    const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
    return { from: dayOf(clock.now() - usualDays * dayMs), to: dayOf(clock.now()) }
  })
  return (
    <form
      class="flex flex-wrap items-end gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        const [from, to] = [Date.parse(`${days.from}T00:00:00Z`), Date.parse(`${days.to}T00:00:00Z`)]
        if (!Number.isNaN(from) && !Number.isNaN(to)) onMake({ from, to: to + dayMs - 1 })
      }}
    >
      <TextField
        label="Audit entries from"
        type="date"
        required
        max={days.to}
        value={days.from}
        onInput={({ currentTarget }) => setDays((now) => ({ ...now, from: currentTarget.value }))}
      />
      <TextField
        label="To, that day included (UTC)"
        type="date"
        required
        min={days.from}
        value={days.to}
        onInput={({ currentTarget }) => setDays((now) => ({ ...now, to: currentTarget.value }))}
      />
      <Button type="submit" look="accent" isBusy={isBusy}>
        Make the report
      </Button>
    </form>
  )
}

type MadeProps = { readonly span: ReportSpan; readonly file: Blob; readonly report: ComplianceReport }

function Made({ span, file, report }: MadeProps) {
  const announce = useAnnounce()
  const day = new Date(report.at).toISOString().slice(0, 10)
  const page = useCompliancePage((made) => {
    saveFile(made, `porttunneler-compliance-${day}.html`)
    announce('The page was saved.')
  })
  const failure = failureIn(page)
  return (
    <div class="space-y-8">
      <div class="space-y-3">
        <div class="flex flex-wrap gap-3">
          <Button onClick={() => page.mutate(span)} isBusy={page.isPending}>
            Save as a page to print
          </Button>
          <Button
            onClick={() => {
              saveFile(file, `porttunneler-compliance-${day}.json`)
              announce('The report was saved.')
            }}
          >
            Save as JSON
          </Button>
        </div>
        {failure && <ProblemNotice failure={failure} />}
        <p class="max-w-prose text-sm text-muted">
          Made <TimeText at={report.at} isExact />. Here is the summary; the files have every row, what is
          kept how long, and what went.
        </p>
      </div>
      <Section title="What needs a look">
        <DataTable
          label="What needs a look"
          columns={findingColumns}
          rows={findingsOf(report)}
          keyOf={({ what }) => what}
        />
      </Section>
      <Section title="Operators">
        <DataTable
          label="Operators"
          columns={operatorColumns}
          rows={report.access.operators}
          keyOf={({ user }) => user}
        />
      </Section>
      <Section title="Who else gets data">
        {report.subProcessors.length === 0 ? (
          <p class="text-muted">Nobody, as this server is set up.</p>
        ) : (
          <DataTable
            label="Who else gets data"
            columns={processorColumns}
            rows={report.subProcessors}
            keyOf={({ name }) => name}
          />
        )}
      </Section>
    </div>
  )
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section aria-label={title} class="space-y-3">
      <h2 class="text-base font-semibold">{title}</h2>
      {children}
    </section>
  )
}

type Finding = {
  readonly what: string
  readonly isFine: boolean
  readonly found: string
}

/** In the order in which somebody would act on them. */
function findingsOf({ access, audit, holds }: ComplianceReport): readonly Finding[] {
  const { problems, seals, intact, gone, isPart } = audit.seals
  const bareOperators = access.operators.filter(({ hasSecondFactor }) => !hasSecondFactor).length
  const waiting = holds.filter(({ erasureWaitsAt }) => erasureWaitsAt !== undefined).length
  const walked = access.isPart ? `, of ${formatCounted(access.accounts, 'account')}, which is not all` : ''
  const none = (count: number, what: string) =>
    ({ isFine: count === 0, found: `${count === 0 ? 'None' : formatCount(count)}${what}` }) as const
  return [
    {
      what: 'Audit log as it was sealed',
      isFine: problems.length === 0,
      found:
        problems.length === 0
          ? `Unchanged: ${formatCounted(seals, 'seal')}${isPart ? ', not all,' : ''} and ${formatCounted(intact, 'entry', 'entries')}. Gone by retention or erasure: ${formatCount(gone)}`
          : problems.join('; '),
    },
    { what: 'Operators without a second factor', ...none(bareOperators, '') },
    { what: 'People without a second factor', ...none(access.peopleWithoutFactor.count, walked) },
    { what: 'Keys that nobody used for 90 days', ...none(access.unusedKeys.count, walked) },
    { what: 'Sign-ins that nobody used for 14 days', ...none(access.staleSignIns.count, walked) },
    {
      what: 'Erasures that wait for a legal hold',
      isFine: waiting === 0,
      found: holds.length === 0 ? 'Nothing is on hold' : `${waiting} of ${formatCount(holds.length)} on hold`,
    },
    {
      what: "The service's own audit entries",
      isFine: true,
      found: `${formatCount(audit.entries.length)}${audit.isPart ? ', which is not all' : ''} in the report`,
    },
  ]
}

const findingColumns: readonly Column<Finding>[] = [
  { head: 'What', cell: ({ what }) => what },
  {
    head: 'State',
    cell: ({ isFine }) => (
      <ToneBadge tone={isFine ? 'ok' : 'warn'}>{isFine ? 'Nothing to do' : 'Look at it'}</ToneBadge>
    ),
  },
  { head: 'Found', cell: ({ found }) => <span class="block max-w-prose">{found}</span> },
]

const operatorColumns: readonly Column<ComplianceReport['access']['operators'][number]>[] = [
  {
    head: 'Person',
    cell: ({ user, email }) => (
      <TextLink href={`/operator/people/${user}`}>
        {email || `${user.slice(0, 4)}…${user.slice(-6)}`}
      </TextLink>
    ),
  },
  { head: 'Since', cell: ({ since }) => <TimeText at={since} /> },
  { head: 'Made by', cell: ({ by }) => by.replace(/^operator:/, '') },
  { head: 'Second factor', cell: ({ hasSecondFactor }) => (hasSecondFactor ? 'Yes' : 'No') },
]

const processorColumns: readonly Column<ComplianceReport['subProcessors'][number]>[] = [
  { head: 'Service', cell: ({ name }) => name },
  { head: 'What it gets', cell: ({ what }) => what },
  { head: 'For what', cell: ({ why }) => why },
]

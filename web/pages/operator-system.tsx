/** What runs behind the service, for operators: dependencies, jobs, feature flags, and who is let into a beta. */
import { useState } from 'preact/hooks'
import { useOperatorAct } from '../api/operator-queries.ts'
import type { Health, Job } from '../api/operator-service-calls.ts'
import { useDependencies, useJobs } from '../api/operator-service-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { formatCount, formatCounted } from '../parts/format.ts'
import { Choice, More, Reading, type Tone, ToneBadge } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AlertsSection } from './operator-alerts.tsx'
import { BetaSection } from './operator-beta.tsx'
import { FlagsSection } from './operator-flags.tsx'

export function OperatorSystemPage() {
  return (
    <Page title="System" lead="What the service depends on, what it does later, and who gets what." isBroad>
      <div class="space-y-10">
        <AlertsSection />
        <DependenciesSection />
        <JobsSection />
        <FlagsSection />
        <BetaSection />
      </div>
    </Page>
  )
}

const names: Record<Health['name'], string> = {
  store: 'Database',
  bus: 'Messages to relays',
  signIn: 'Sign-in',
  mail: 'Mail',
  payments: 'Payments',
  dns: 'DNS records',
  certificates: 'Certificates',
  alerts: 'Alerts to operators',
}
const tones: Record<Health['state'], readonly [Tone, string]> = {
  ok: ['ok', 'Works'],
  failing: ['bad', 'Fails'],
  off: ['none', 'Not set up'],
}

const dependencyColumns: readonly Column<Health>[] = [
  { head: 'Dependency', cell: ({ name }) => names[name] },
  {
    head: 'State',
    cell: ({ state }) => {
      const [tone, word] = tones[state]
      return <ToneBadge tone={tone}>{word}</ToneBadge>
    },
  },
  { head: 'Service', cell: ({ what }) => what },
  { head: 'What it says', cell: (one) => <Finding of={one} /> },
  { head: 'As of', cell: ({ at }) => <TimeText at={at} /> },
]

function Finding({ of: { state, ms, code, cause, cure, waiting = 0, dead = 0 } }: { of: Health }) {
  if (state === 'off') return <span class="text-muted">Nothing uses it here.</span>
  if (state === 'ok')
    return (
      <span class="text-muted">
        {ms === undefined ? 'No job that uses it has failed.' : `Answered in ${ms} ms.`}
      </span>
    )
  return (
    <span>
      {code} {cause} {cure}{' '}
      {waiting + dead > 0 && (
        <span class="text-muted">
          {formatCounted(waiting, 'job')} to be tried again, {formatCount(dead)} given up.
        </span>
      )}
    </span>
  )
}

function DependenciesSection() {
  const query = useDependencies()
  return (
    <section aria-label="Dependencies" class="space-y-3">
      <h2 class="text-base font-semibold">Dependencies</h2>
      <Reading query={query} what="the dependencies">
        {query.data && (
          <DataTable
            label="Dependencies"
            columns={dependencyColumns}
            rows={query.data.items}
            keyOf={({ name }) => name}
          />
        )}
      </Reading>
    </section>
  )
}

function JobsSection() {
  const [state, setState] = useState<'dead' | 'live'>('dead')
  const query = useJobs(state)
  const { calls } = useServices()
  const [dropped, setDropped] = useState<string>()
  const retry = useOperatorAct((id: string) => calls.retryJob(id))
  const failure = failureIn(retry)
  const jobs = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section aria-label="Jobs" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">Jobs</h2>
        <Choice
          label="Which jobs"
          value={state}
          options={[
            ['dead', 'Given up'],
            ['live', 'Waiting'],
          ]}
          onChange={setState}
        />
      </div>
      {failure && <ProblemNotice failure={failure} />}
      <Reading query={query} what="the jobs">
        {query.isSuccess && jobs.length === 0 && (
          <p class="text-muted">{state === 'dead' ? 'No job has given up.' : 'No job waits.'}</p>
        )}
        {jobs.length > 0 && (
          <DataTable
            label={state === 'dead' ? 'Jobs that have given up' : 'Jobs that wait'}
            columns={jobColumns(state, { onRetry: (id) => retry.mutate(id), onDrop: setDropped })}
            rows={jobs}
            keyOf={({ id }) => id}
          />
        )}
        <More query={query} />
      </Reading>
      {dropped !== undefined && <DropDialog job={dropped} onClose={() => setDropped(undefined)} />}
    </section>
  )
}

function jobColumns(
  state: 'dead' | 'live',
  { onRetry, onDrop }: { onRetry: (id: string) => void; onDrop: (id: string) => void },
): readonly Column<Job>[] {
  const columns: readonly Column<Job>[] = [
    { head: 'Job', cell: ({ id }) => <span class="font-mono text-xs break-all">{id}</span> },
    {
      head: 'Account',
      cell: ({ account }) =>
        account === '' ? (
          <span class="text-muted">the service</span>
        ) : (
          <TextLink href={`/operator/accounts/${account}`}>
            {account.slice(0, 4)}…{account.slice(-6)}
          </TextLink>
        ),
    },
    { head: 'Last error', cell: ({ error }) => error || <span class="text-muted">none</span> },
    { head: 'Tries', isNumber: true, cell: ({ attempts }) => formatCount(attempts) },
    { head: state === 'dead' ? 'Since' : 'Due', cell: ({ dueAt }) => <Due at={dueAt} /> },
  ]
  if (state === 'live') return columns
  const actions: Column<Job> = {
    head: 'Actions',
    isActions: true,
    cell: ({ id }) => (
      <span class="flex justify-end gap-1">
        <Button look="quiet" onClick={() => onRetry(id)} aria-label={`Run again: ${id}`}>
          Run again
        </Button>
        <Button look="quiet" onClick={() => onDrop(id)} aria-label={`Forget ${id}`}>
          Forget
        </Button>
      </span>
    ),
  }
  return [...columns, actions]
}

/** A time that may lie ahead. */
function Due({ at }: { at: number }) {
  const { clock } = useServices()
  const minutes = Math.ceil((at - clock.now()) / 60_000)
  if (minutes <= 0) return <TimeText at={at} />
  return (
    <span class="whitespace-nowrap">
      {minutes < 120 ? `in ${minutes} min` : `in ${Math.round(minutes / 60)} h`}
    </span>
  )
}

function DropDialog({ job, onClose }: { job: string; onClose: () => void }) {
  const { calls } = useServices()
  const act = useOperatorAct(() => calls.dropJob(job), onClose)
  return (
    <ConfirmDialog
      title="Forget this job?"
      action="Forget it"
      onConfirm={() => act.mutate(undefined)}
      onClose={onClose}
      isBusy={act.isPending}
      failure={failureIn(act)}
    >
      <p class="break-all">{job}</p>
      <p>What it has done stays, and the rest is never done. The audit log keeps its last error.</p>
    </ConfirmDialog>
  )
}

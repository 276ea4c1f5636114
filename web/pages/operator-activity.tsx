/**
 * How accounts come and stay, for operators: active ones by day, week and month, how far new ones got, and which came
 * back. Made once a day by the server from its own records; nothing goes to anybody else.
 */
import { useMemo, useState } from 'preact/hooks'
import type { Activity } from '../api/operator-service-calls.ts'
import { useActivity } from '../api/operator-service-queries.ts'
import { ChartPanel } from '../charts/chart-panel.tsx'
import type { TimeRange } from '../charts/time-range.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatCount, formatCounted, formatDay } from '../parts/format.ts'
import { Reading } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

type Cohort = Activity['cohorts'][number]
const dayMs = 24 * 3_600_000
const shortestDays = 7

export function OperatorActivityPage() {
  const query = useActivity()
  const { data } = query
  return (
    <Page
      title="Activity"
      lead="An account is active when a visitor reaches one of its tunnels. By our own records, made once a day after midnight UTC."
      isBroad
    >
      <Reading query={query} what="the activity">
        {data && data.days.length === 0 && (
          <p class="text-muted">No figures yet: the first are made when a whole day is over.</p>
        )}
        {data && data.days.length > 0 && (
          <div class="space-y-10">
            <ActiveSection days={data.days} madeAt={data.madeAt} />
            <FunnelSection cohorts={data.cohorts} />
            <ReturnSection cohorts={data.cohorts} />
          </div>
        )}
      </Reading>
    </Page>
  )
}

function ActiveSection({ days, madeAt }: { days: Activity['days']; madeAt: number | undefined }) {
  const [part, setPart] = useState<TimeRange['zoom']>()
  const series = useMemo(() => seriesOf(days), [days])
  const last = days.at(-1)
  const [from = 0, to = 0] = [series.at[0], series.at.at(-1)]
  const span = part ?? { from: Math.min(from, to - shortestDays * dayMs), to }
  return (
    <section aria-label="Active accounts" class="space-y-3">
      <h2 class="text-base font-semibold">Active accounts</h2>
      <ChartPanel
        title="Active accounts"
        at={series.at}
        lines={series.lines}
        format={(value) => formatCount(Math.round(value))}
        leastMax={4}
        height="tall"
        span={{ ...span, stepMs: dayMs }}
        marks={noMarks}
        onPart={setPart}
      />
      {last && (
        <p class="text-sm text-muted">
          {formatCounted(last.accounts, 'account')} on {formatDay(last.day)}
          {madeAt !== undefined && (
            <>
              , counted <TimeText at={madeAt} />
            </>
          )}
          .
        </p>
      )}
    </section>
  )
}

const noMarks: Parameters<typeof ChartPanel>[0]['marks'] = []

/** A day that was not counted is a gap. */
function seriesOf(days: Activity['days']) {
  const known = new Map(days.map((one) => [Date.parse(`${one.day}T00:00:00Z`), one]))
  const [first = 0, last = 0] = [Math.min(...known.keys()), Math.max(...known.keys())]
  const at = Array.from({ length: Math.round((last - first) / dayMs) + 1 }, (_, n) => first + n * dayMs)
  const valuesOf = (name: 'active' | 'week' | 'month') => at.map((day) => known.get(day)?.[name] ?? null)
  return {
    at,
    lines: [
      { label: 'On the day', colour: '--chart-1', values: valuesOf('active') },
      { label: 'In 7 days', colour: '--chart-2', dash: [6, 3], values: valuesOf('week') },
      { label: 'In 28 days', colour: '--chart-3', dash: [2, 3], values: valuesOf('month') },
    ],
  } as const
}

const steps = [
  ['accounts', 'Signed up'],
  ['proven', 'Proved their address'],
  ['tunnel', 'Made a tunnel'],
  ['visitor', 'Had a visitor'],
  ['paying', 'Pay'],
] as const satisfies readonly (readonly [keyof Cohort, string])[]

/** All new accounts of the weeks together. */
function FunnelSection({ cohorts }: { cohorts: readonly Cohort[] }) {
  const sum = (name: (typeof steps)[number][0]) => cohorts.reduce((all, one) => all + one[name], 0)
  const whole = sum('accounts')
  return (
    <section aria-label="How far new accounts get" class="space-y-3">
      <h2 class="text-base font-semibold">How far new accounts get</h2>
      {whole === 0 ? (
        <p class="text-muted">No account came in the last 13 weeks.</p>
      ) : (
        <ol class="max-w-3xl space-y-2 rounded-xl border border-line bg-surface p-4 text-sm">
          {steps.map(([name, label]) => {
            const count = sum(name)
            return (
              <li key={name} class="grid grid-cols-[11rem_minmax(0,1fr)_8rem] items-center gap-3">
                <span>{label}</span>
                <span aria-hidden="true" class="h-4 rounded-sm bg-raised">
                  <span
                    class="block h-4 min-w-px rounded-sm bg-accent"
                    style={{ width: `${(100 * count) / whole}%` }}
                  />
                </span>
                <span class="text-right tabular-nums">
                  {formatCount(count)} <span class="text-muted">({shareText(count, whole)})</span>
                </span>
              </li>
            )
          })}
        </ol>
      )}
      <p class="max-w-prose text-sm text-muted">
        Accounts of the last 13 weeks, as they are on the newest day. A tunnel that was deleted before it had
        a visitor counts for nothing.
      </p>
    </section>
  )
}

function shareText(count: number, whole: number): string {
  return whole === 0 ? '–' : `${Math.round((100 * count) / whole)} %`
}

function ReturnSection({ cohorts }: { cohorts: readonly Cohort[] }) {
  const length = Math.max(0, ...cohorts.map(({ weeks }) => weeks.length))
  const columns: readonly Column<Cohort>[] = [
    {
      head: 'Came in the week of',
      cell: ({ week }) => <span class="whitespace-nowrap">{formatDay(week)}</span>,
    },
    { head: 'Accounts', isNumber: true, cell: ({ accounts }) => formatCount(accounts) },
    ...Array.from({ length }, (_, at) => ({
      head: `W${at + 1}`,
      isNumber: true,
      cell: ({ weeks, accounts }: Cohort) => <Share count={weeks[at]} of={accounts} />,
    })),
  ]
  return (
    <section aria-label="Which come back" class="space-y-3">
      <h2 class="text-base font-semibold">Which come back</h2>
      {cohorts.length === 0 || length === 0 ? (
        <p class="text-muted">The first week of the newest accounts is not over yet.</p>
      ) : (
        <DataTable
          label="Active in each week since they came"
          columns={columns}
          rows={cohorts}
          keyOf={keyOf}
        />
      )}
      <p class="max-w-prose text-sm text-muted">
        The share of the accounts that were active in each whole week; W1 is the week in which they came. A
        dash: nothing was counted on the last day of that week.
      </p>
    </section>
  )
}

const keyOf = ({ week }: Cohort) => week

function Share({ count, of }: { count: number | undefined; of: number }) {
  if (count === undefined) return null
  if (count < 0) return <span class="text-muted">–</span>
  return (
    <span
      title={`${formatCount(count)} of ${formatCount(of)}`}
      class={count === 0 ? 'text-muted' : undefined}
    >
      {shareText(count, of)}
    </span>
  )
}

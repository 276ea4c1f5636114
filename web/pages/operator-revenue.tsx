/**
 * Money and transfer of the service, for operators: by month and plan, and who carried most on a day. Made once a day
 * by the server from its own records; the page says when.
 */
import { useState } from 'preact/hooks'
import type { RevenueMonth, Talker } from '../api/operator-service-calls.ts'
import { useRevenue, useTalkers } from '../api/operator-service-queries.ts'
import { Button, TextLink } from '../parts/button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatBytes, formatCount, formatCounted, formatDay } from '../parts/format.ts'
import { Choice, Reading } from '../parts/operator-parts.tsx'
import { Page } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AccountBadge } from './operator-badges.tsx'

type PlanRow = RevenueMonth['plans'][number]
const dayMs = 24 * 3_600_000

export function OperatorRevenuePage() {
  return (
    <Page
      title="Revenue and usage"
      lead="By our own records, not by Stripe's. Made once a day, after midnight UTC."
      isBroad
    >
      <div class="space-y-10">
        <RevenueSection />
        <TalkersSection />
      </div>
    </Page>
  )
}

function RevenueSection() {
  const query = useRevenue()
  const [chosen, setChosen] = useState<string>()
  const months = query.data?.months ?? []
  const month = months.find((one) => one.month === chosen) ?? months[0]
  return (
    <section aria-label="Revenue by plan" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">By plan</h2>
        {months.length > 1 && month && (
          <Choice
            label="Which month"
            value={month.month}
            options={months.slice(0, 6).map((one) => [one.month, one.month] as const)}
            onChange={setChosen}
          />
        )}
      </div>
      <Reading query={query} what="the figures">
        {query.isSuccess && !month && (
          <p class="text-muted">No figures yet: the first are made when a whole day is over.</p>
        )}
        {month && (
          <>
            <DataTable
              label={`${month.month} by plan`}
              columns={planColumns}
              rows={[...month.plans, ...(month.plans.length > 1 ? [sumOf(month.plans)] : [])]}
              keyOf={({ plan }) => plan}
            />
            <p class="max-w-prose text-sm text-muted">
              {month.days === 1 ? 'One day' : formatCounted(month.days, 'day')} of {month.month}, the last{' '}
              {formatDay(month.lastDay)}; made <TimeText at={month.madeAt} />. Accounts and recurring amounts
              are those of the last day. Left over is the days' part of the recurring amounts after fees and
              included tax; cost is by the plans' cost figures. Transfer that is paid on top is in none.
            </p>
          </>
        )}
      </Reading>
    </section>
  )
}

const allPlans = 'All plans'

function sumOf(plans: readonly PlanRow[]): PlanRow {
  const recurring: Record<string, number> = {}
  for (const plan of plans)
    for (const [currency, amount] of Object.entries(plan.recurring))
      recurring[currency] = (recurring[currency] ?? 0) + amount
  const sum = (of: (plan: PlanRow) => number) => plans.reduce((all, plan) => all + of(plan), 0)
  return {
    plan: allPlans,
    accounts: sum(({ accounts }) => accounts),
    paying: sum(({ paying }) => paying),
    trial: sum(({ trial }) => trial),
    online: sum(({ online }) => online),
    recurring,
    bytes: sum(({ bytes }) => bytes),
    netMicros: sum(({ netMicros }) => netMicros),
    costMicros: sum(({ costMicros }) => costMicros),
  }
}

const planColumns: readonly Column<PlanRow>[] = [
  { head: 'Plan', cell: ({ plan }) => plan },
  { head: 'Accounts', isNumber: true, cell: ({ accounts }) => formatCount(accounts) },
  { head: 'Paying', isNumber: true, cell: ({ paying }) => formatCount(paying) },
  { head: 'On trial', isNumber: true, cell: ({ trial }) => formatCount(trial) },
  { head: 'Recurring a month', isNumber: true, cell: ({ recurring }) => recurringText(recurring) },
  { head: 'Tunnels online', isNumber: true, cell: ({ online }) => formatCount(online) },
  { head: 'Transfer', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
  { head: 'Left over', isNumber: true, cell: ({ netMicros }) => dollars(netMicros) },
  { head: 'Cost', isNumber: true, cell: ({ costMicros }) => dollars(costMicros) },
  {
    head: 'Margin',
    isNumber: true,
    cell: ({ netMicros, costMicros }) => (
      <span class={netMicros < costMicros ? 'text-danger' : undefined}>
        {dollars(netMicros - costMicros)}
      </span>
    ),
  },
]

const usd = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD' })

function dollars(micros: number): string {
  return usd.format(micros / 1_000_000)
}

/** Browsers know how many places a currency has; some that Stripe counts in hundredths have none there. */
function recurringText(recurring: PlanRow['recurring']): string {
  const texts = Object.entries(recurring).map(([currency, amount]) => {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency })
    const digits = wholeHundredths.has(currency) ? 2 : (format.resolvedOptions().maximumFractionDigits ?? 2)
    return format.format(amount / 10 ** digits)
  })
  return texts.length === 0 ? '–' : texts.join(', ')
}
const wholeHundredths: ReadonlySet<string> = new Set(['isk', 'ugx'])

function TalkersSection() {
  const [day, setDay] = useState<string>()
  const query = useTalkers(day)
  const { data } = query
  const shown = data?.day
  const step = (by: number) =>
    setDay(new Date(Date.parse(`${shown}T00:00:00Z`) + by * dayMs).toISOString().slice(0, 10))
  return (
    <section aria-label="Who carried most" class="space-y-3">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="text-base font-semibold">
          Who carried most{shown !== undefined && ` on ${formatDay(shown)}`}
        </h2>
        <div class="flex gap-2">
          {day !== undefined && query.isError && (
            <Button onClick={() => setDay(undefined)}>The newest day</Button>
          )}
          {shown !== undefined && (
            <>
              <Button onClick={() => step(-1)}>Day before</Button>
              {shown !== data?.newest && <Button onClick={() => step(1)}>Next day</Button>}
            </>
          )}
        </div>
      </div>
      <Reading query={query} what="the accounts">
        {query.isSuccess && data?.items.length === 0 && (
          <p class="text-muted">{shown === undefined ? 'No figures yet.' : 'Nobody carried anything.'}</p>
        )}
        {data && data.items.length > 0 && (
          <DataTable
            label="Who carried most"
            columns={talkerColumns}
            rows={data.items}
            keyOf={({ account }) => account}
          />
        )}
      </Reading>
    </section>
  )
}

const talkerColumns: readonly Column<Talker>[] = [
  {
    head: 'Account',
    cell: ({ account, name }) => (
      <TextLink href={`/operator/accounts/${account}`}>{name ?? account}</TextLink>
    ),
  },
  { head: 'Plan', cell: ({ plan }) => plan ?? <span class="text-muted">gone</span> },
  { head: 'State', cell: ({ status }) => status && <AccountBadge status={status} /> },
  { head: 'Transfer', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
  { head: 'Connections', isNumber: true, cell: ({ opened }) => formatCount(opened) },
  { head: 'Refused', isNumber: true, cell: ({ refused }) => formatCount(refused) },
]

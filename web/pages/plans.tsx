/** The plans of this service, with the account's own one marked. Anybody may look, also before signing in. */
import type { Billing } from '@porttunneler/shared/api/schemas/billing'
import type { Plans } from '@porttunneler/shared/api/schemas/plans'
import { useBilling } from '../api/billing-queries.ts'
import { failureIn, useMe, usePlans } from '../api/queries.ts'
import { useSignedIn } from '../api/services.tsx'
import { formatBytes, formatCount, formatCounted } from '../parts/format.ts'
import { Heading, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { BillingCard } from './billing-card.tsx'
import { PlanChoice } from './plan-choice.tsx'

type Plan = Plans['items'][number]

const rows = [
  ['Tunnels online at once', ({ limits }) => formatCount(limits.tunnelsOnline)],
  ['Transfer a month', ({ limits }) => formatBytes(limits.transferBytesMonth)],
  ['Reserved host names', ({ limits }) => formatCount(limits.reservedHosts)],
  ['Reserved ports', ({ limits }) => formatCount(limits.reservedPorts)],
  ['Own domains', ({ limits }) => formatCount(limits.domains)],
  ['New connections a minute', ({ limits }) => formatCount(limits.connectionsPerMinute)],
  ['Audit log kept', ({ limits }) => formatCounted(limits.auditDays, 'day')],
] as const satisfies readonly (readonly [string, (plan: Plan) => string])[]

const lead =
  'What an account may use, and what it costs. A GB is a thousand million bytes, both directions together.'

/** For people who are signed in: inside the console, with their own plan marked. */
export function PlansPage() {
  const me = useMe()
  const permissions = me.data?.permissions ?? []
  const hasPaid = new URLSearchParams(location.search).get('paid') === 'yes'
  const billing = useBilling(permissions.includes('billing.read'), hasPaid).data
  const plans = usePlans().data?.items ?? []
  const titleOf = (plan: string) => plans.find(({ name }) => name === plan)?.title ?? plan
  const mayPay = permissions.includes('billing.write')
  return (
    <Page title="Plans" lead={lead}>
      {billing?.isOn && (
        <div class="mb-4">
          <BillingCard billing={billing} mayPay={mayPay} hasPaid={hasPaid} titleOf={titleOf} />
        </div>
      )}
      <PlanList own={me.data?.plan} billing={mayPay && billing?.isOn ? billing : undefined} />
    </Page>
  )
}

/** For everybody else. */
export function PublicPlansPage() {
  return (
    <>
      <Heading title="Plans" />
      <p class="mt-1 mb-5 text-muted">{lead}</p>
      <PlanList />
    </>
  )
}

function PlanList({ own, billing }: { own?: string | undefined; billing?: Billing | undefined }) {
  const query = usePlans()
  const failure = failureIn(query)
  const isSignedIn = useSignedIn()
  const items = query.data?.items
  return (
    <>
      {failure && (
        <ProblemNotice failure={failure} onRetry={() => void query.refetch()} isRetrying={query.isFetching} />
      )}
      {query.isPending && <Skeleton what="plans" />}
      {items && (
        <ul class={`grid gap-4 ${isSignedIn ? 'md:grid-cols-2 xl:grid-cols-3' : ''}`}>
          {items.map((plan) => (
            <PlanItem
              key={plan.name}
              plan={plan}
              perGB={query.data?.transferPerGB}
              isOwn={plan.name === own}
              billing={billing}
            />
          ))}
        </ul>
      )}
      {own !== undefined && items && !items.some(({ name }) => name === own) && (
        <p class="mt-4 text-muted">Your account has the plan {own}, which is not for everybody to choose.</p>
      )}
      {items && (
        <p class="mt-4 text-sm text-muted">
          {billing === undefined && 'Whoever runs this service gives an account another plan. '}An account
          keeps what its plan gave it, also when the plans change.
        </p>
      )}
    </>
  )
}

type Item = {
  readonly plan: Plan
  /** What further transfer costs, by currency. */
  readonly perGB: Readonly<Record<string, string>> | undefined
  readonly isOwn: boolean
  readonly billing?: Billing | undefined
}

function PlanItem({ plan, perGB = {}, isOwn, billing }: Item) {
  const isSold = Object.keys(plan.prices).length > 0
  const isPaying = billing !== undefined && billing.state !== 'free'
  return (
    <li
      aria-label={plan.title}
      class={`rounded-xl border bg-surface p-5 sm:p-6 ${isOwn ? 'border-accent' : 'border-line'}`}
    >
      <div class="flex flex-wrap items-baseline justify-between gap-x-3">
        <h2 class="text-base font-semibold">{plan.title}</h2>
        {isOwn && <span class="text-sm font-medium">Your plan</span>}
      </div>
      <p class="mt-1">{priceText(plan)}</p>
      {plan.sellsTransfer && (
        <p class="mt-1 text-sm text-muted">
          Further transfer for {amountsText(perGB).join(' / ')} a GB, up to a cap that you set
        </p>
      )}
      <dl class="mt-4 grid grid-cols-[1fr_auto] gap-x-6 gap-y-2">
        {rows.map(([label, textOf]) => (
          <div key={label} class="col-span-2 grid grid-cols-subgrid">
            <dt class="text-muted">{label}</dt>
            <dd class="text-right font-medium tabular-nums">{textOf(plan)}</dd>
          </div>
        ))}
      </dl>
      {billing && (isSold || isPaying) && <PlanChoice plan={plan} billing={billing} />}
    </li>
  )
}

function amountsText(amounts: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(amounts).map(([currency, amount]) => `${amount} ${currency.toUpperCase()}`)
}

/** "9.00 USD a month, or 90.00 USD a year" */
function priceText({ prices }: Plan): string {
  const of = (amounts: Readonly<Record<string, string>> | undefined, interval: string) => {
    const texts = amountsText(amounts ?? {})
    return texts.length > 0 ? [`${texts.join(' / ')} a ${interval}`] : []
  }
  return [...of(prices.month, 'month'), ...of(prices.year, 'year')].join(', or ') || 'Free'
}

/** The buttons of a plan: pay for it, or change to it after seeing what that costs now. */
import type { Billing } from '@porttunneler/shared/api/schemas/billing'
import type { Plans } from '@porttunneler/shared/api/schemas/plans'
import { useState } from 'preact/hooks'
import { usePayPage, usePlanChange } from '../api/billing-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { formatMoney } from '../parts/money-text.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

type Plan = Plans['items'][number]
type Interval = 'month' | 'year'
const intervals = ['month', 'year'] as const

export function PlanChoice({ plan, billing }: { plan: Plan; billing: Billing }) {
  const page = usePayPage()
  const look = usePlanChange()
  const change = usePlanChange()
  const [interval, setChosen] = useState<Interval>()
  const failure = failureIn(page) ?? failureIn(look) ?? failureIn(change)
  const isPaying = billing.state !== 'free'
  const { included = 1, max = 1 } = plan.seats ?? {}
  const within = (wanted: number) => Math.max(included, Math.min(Math.trunc(wanted) || included, max))
  const [wanted, setWanted] = useState(String(within(billing.seats ?? 1)))
  const seats = within(Number(wanted))
  const choose = (chosen: Interval) => {
    const choice = { plan: plan.name, interval: chosen, seats }
    setChosen(chosen)
    change.reset()
    if (isPaying) look.mutate({ ...choice, dryRun: true })
    else page.mutate({ ...choice, currency: currencyOf(plan, chosen) })
  }
  const setSeats = (text: string) => {
    // What was shown was for another number.
    look.reset()
    setWanted(text)
  }
  const told = look.data && !change.isSuccess ? look.data : undefined
  const offered = intervals.filter((one) => plan.prices[one])
  const isOwn = (one: Interval) => isPaying && isSame(billing, { plan, interval: one, seats })
  const waits = billing.next !== undefined || billing.cancelAt !== undefined
  const choices =
    isPaying && offered.length === 0 ? (['month'] as const) : offered.filter((one) => waits || !isOwn(one))
  return (
    <div class="mt-4 space-y-3">
      {failure && <ProblemNotice failure={failure} />}
      {told && interval && (
        <p role="status">
          {toldText(told)}{' '}
          <Button
            look="accent"
            onClick={() => change.mutate({ plan: plan.name, interval, seats })}
            isBusy={change.isPending}
          >
            {told.when === 'now' && told.due !== '0'
              ? `Pay ${formatMoney(told.due, told.currency)} now`
              : 'Change'}
          </Button>
        </p>
      )}
      {max > included && <Seats value={wanted} {...{ included, max }} onInput={setSeats} />}
      <div class="flex flex-wrap gap-3">
        {choices.map((one) => (
          <Button
            key={one}
            onClick={() => choose(one)}
            isBusy={(page.isPending || look.isPending) && interval === one}
          >
            {offered.length === 0
              ? 'End the subscription'
              : `${isOwn(one) ? 'Keep' : isPaying ? 'Change to' : 'Choose'} ${plan.title}, by the ${one}`}
          </Button>
        ))}
      </div>
    </div>
  )
}

function isSame(
  billing: Billing,
  { plan: { name, seats: kept }, interval, seats }: { plan: Plan; interval: Interval; seats: number },
): boolean {
  const hasSeats = kept !== undefined && kept.max > kept.included
  const isAsMany = !hasSeats || seats === billing.seats
  return name === billing.plan && interval === billing.interval && isAsMany
}

type SeatsProps = {
  readonly value: string
  readonly included: number
  readonly max: number
  readonly onInput: (text: string) => void
}

function Seats({ value, included, max, onInput }: SeatsProps) {
  return (
    <TextField
      label="Seats"
      type="number"
      inputmode="numeric"
      min={included}
      max={max}
      value={value}
      hint={`${included} are in the price; ${max} at most.`}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  )
}

function currencyOf({ prices }: Plan, interval: Interval): string {
  return Object.keys(prices[interval] ?? {})[0] ?? 'usd'
}

type Told = { readonly when: string; readonly at: number; readonly due: string; readonly currency: string }

function toldText({ when, at, due }: Told) {
  if (when === 'now' && due === '0') return 'It is in force at once, and costs nothing now.'
  if (when === 'now') return 'It is in force as soon as it is paid; you pay for the rest of the period.'
  if (when === 'end')
    return (
      <>
        Your plan goes on until <TimeText at={at} isExact /> and then ends.
      </>
    )
  if (when === 'kept') return 'This is what you have; a change that waits is taken back.'
  return (
    <>
      It begins with the next period, on <TimeText at={at} isExact />.
    </>
  )
}

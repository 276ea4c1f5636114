/** What the account pays: its state, the coming invoice, the cap of further transfer, and earlier invoices. */
import type { Billing } from '@porttunneler/shared/api/schemas/billing'
import { useBillingPeriod, useInvoices, usePayPage, useTransferCap } from '../api/billing-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { formatBytes } from '../parts/format.ts'
import { formatMoney, majorUnits } from '../parts/money-text.ts'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

type Facts = {
  readonly billing: Billing
  /** They come back from the page where one pays. */
  readonly hasPaid: boolean
  /** A plan's name as people read it. */
  readonly titleOf: (plan: string) => string
}

export function BillingCard({ mayPay, ...facts }: Facts & { readonly mayPay: boolean }) {
  const { billing, titleOf } = facts
  const page = usePayPage()
  const failure = failureIn(page)
  return (
    <Card title="Billing">
      <p role="status" class="max-w-prose">
        {stateText(facts)}
      </p>
      {billing.next && isMoved(billing) && (
        <p class="mt-2 text-muted">
          On <TimeText at={billing.next.at} isExact /> the plan gets the price and the limits that are offered
          below. To pay no more, end the subscription before.
        </p>
      )}
      {billing.next && !isMoved(billing) && (
        <p class="mt-2 text-muted">
          On <TimeText at={billing.next.at} isExact /> the plan becomes {titleOf(billing.next.plan)}. Choose
          your present plan to keep it.
        </p>
      )}
      {billing.state !== 'free' && <ComingInvoice />}
      {billing.capMax !== undefined && billing.capMax !== '0' && mayPay && <CapForm billing={billing} />}
      {failure && <ProblemNotice failure={failure} />}
      {billing.state !== 'free' && mayPay && (
        <div class="mt-4">
          <Button onClick={() => page.mutate('portal')} isBusy={page.isPending}>
            Card, address and tax number
          </Button>
        </div>
      )}
      {billing.state !== 'free' && <Invoices />}
    </Card>
  )
}

/** The same choice again: an operator moves it to the plan as it is now. */
function isMoved({ next, plan, interval, seats }: Billing): boolean {
  return next?.plan === plan && next.interval === interval && next.seats === seats
}

function stateText({ billing, hasPaid, titleOf }: Facts) {
  const { state, periodEnd = 0, trialEnd = 0, limitedFrom = 0, cancelAt = 0 } = billing
  const plan = titleOf(billing.plan)
  if (state === 'free' && hasPaid)
    return 'Waiting for word of your payment: it comes within seconds, and then your plan is in force.'
  if (state === 'free') return 'You pay nothing. A plan below is in force within seconds of its payment.'
  if (state === 'trial')
    return (
      <>
        You are trying {plan} until <TimeText at={trialEnd} isExact />. Then it is paid.
      </>
    )
  if (state === 'pastDue')
    return (
      <>
        An invoice is open. Everything goes on until <TimeText at={limitedFrom} isExact />; then the free plan
        applies.
      </>
    )
  if (state === 'limited')
    return 'An invoice is open for more than a week, so the free plan applies. Nothing is deleted; pay it, and all is back.'
  if (cancelAt > 0)
    return (
      <>
        You have {plan} until <TimeText at={cancelAt} isExact />, and pay no more.
      </>
    )
  return (
    <>
      You pay for {plan}. The next payment is on <TimeText at={periodEnd} isExact />.
    </>
  )
}

function ComingInvoice() {
  const period = useBillingPeriod()
  const failure = failureIn(period)
  if (failure) return <ProblemNotice failure={failure} onRetry={() => void period.refetch()} />
  if (!period.data) return null
  const { currency, soFar, forecast, usedMB, includedMB, end } = period.data
  return (
    <div class="mt-4 overflow-x-auto">
      <table class="w-full text-left">
        <caption class="text-left text-sm text-muted">
          This period, until <TimeText at={end} isExact />, without tax. Transfer: {bytesText(usedMB)} of{' '}
          {bytesText(includedMB)} that are included.
        </caption>
        <tbody>
          {soFar.lines.map((line) => (
            <tr key={`${line.kind} ${line.from} ${line.amount}`}>
              <td class="py-1">{lineText(line)}</td>
              <td class="py-1 text-right tabular-nums">{formatMoney(line.amount, currency)}</td>
            </tr>
          ))}
          <tr class="border-t border-line font-semibold">
            <td class="py-1">So far</td>
            <td class="py-1 text-right tabular-nums">{formatMoney(soFar.subtotal, currency)}</td>
          </tr>
          <tr>
            <td class="py-1 text-muted">If transfer goes on like this</td>
            <td class="py-1 text-right tabular-nums">{formatMoney(forecast.subtotal, currency)}</td>
          </tr>
        </tbody>
      </table>
    </div>
  )
}

function bytesText(megabytes: string): string {
  return formatBytes(Number(megabytes) * 1_000_000)
}

type Line = {
  readonly kind: string
  readonly isProration: boolean
  readonly quantity: string
  readonly amount: string
}

function lineText({ kind, isProration, quantity, amount }: Line): string {
  if (kind === 'transfer') return `Transfer beyond the plan, ${bytesText(quantity)}`
  const what = kind === 'seats' ? `${quantity} further seats` : 'Plan'
  if (!isProration) return what
  return amount.startsWith('-') ? `${what}: rest given back` : `${what}: rest of the period`
}

function CapForm({ billing }: { billing: Billing }) {
  const { currency = '', cap = '0', capNow = '0', capMax = '0' } = billing
  const change = useTransferCap()
  const announce = useAnnounce()
  const form = useApiForm({
    initial: { cap: majorUnits(cap, currency) },
    act: change,
    toWish: (typed) => typed.cap.trim(),
    onSent: () => announce('The cap is set.'),
  })
  const isLess = capNow !== cap
  return (
    <div class="mt-4">
      <FormOf form={form} label="Most that transfer may cost" action="Set the cap" look="plain" place="card">
        <TextField
          label={`Most that transfer beyond the plan may cost in a month, ${currency.toUpperCase()}`}
          hint={
            <>
              At 0 tunnels stop when the plan is used up, and nothing more is charged. At most{' '}
              {formatMoney(capMax, currency)}.
              {isLess &&
                ` Now ${formatMoney(capNow, currency)} of it count: all of it after three paid invoices.`}
            </>
          }
          inputMode="decimal"
          {...form.text('cap')}
        />
      </FormOf>
    </div>
  )
}

function Invoices() {
  const items = useInvoices().data?.items ?? []
  if (items.length === 0) return null
  return (
    <section class="mt-5" aria-label="Invoices">
      <h3 class="font-semibold">Invoices</h3>
      <ul class="mt-2 space-y-1">
        {items.map(({ id, number, state, createdAt, total, currency, url, pdf }) => (
          <li key={id} class="flex flex-wrap justify-between gap-x-4">
            <span>
              {url === '' ? (
                number || 'Draft'
              ) : (
                <a class="underline" href={url}>
                  {number || 'Draft'}
                </a>
              )}
              , <TimeText at={createdAt} isExact />, {state}
              {pdf !== '' && (
                <>
                  ,{' '}
                  <a class="underline" href={pdf} aria-label={`PDF of ${number}`}>
                    PDF
                  </a>
                </>
              )}
            </span>
            <span class="tabular-nums">{formatMoney(total, currency)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

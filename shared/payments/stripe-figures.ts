/** What Stripe has of a period, to compare it with ours: the lines of its invoices, and what its meter counted. */
import type Stripe from 'stripe'
import { fail } from '../base/errors.ts'
import type { ComparedLine } from '../control/money/line-differences.ts'
import type { Payments } from '../control/money/payments.ts'
import { toMs, toSeconds } from './stripe-calls.ts'
import { idOf } from './stripe-customers.ts'

/** A customer may change what is paid ten times a day, each with an invoice; more than these are not compared. */
const invoicesMax = 100
const linesMax = 250

/** @throws billing.refused for more invoices than can be compared */
export async function listLines(
  stripe: Stripe,
  customer: string,
  since: number,
): Promise<readonly ComparedLine[]> {
  const { data, has_more: more } = await stripe.invoices.list({
    customer,
    created: { gte: toSeconds(since) },
    limit: invoicesMax,
  })
  if (more) throw fail('billing.refused', `There are more than ${invoicesMax} invoices since a period began.`)
  const lines: Stripe.InvoiceLineItem[] = []
  for (const invoice of data) if (isCharged(invoice)) lines.push(...(await linesOf(stripe, invoice)))
  const keys = await keysOf(stripe, new Set(lines.map(priceOf)))
  return lines.map((line) => ({
    price: keys.get(priceOf(line)) ?? priceOf(line),
    isProration: line.parent?.subscription_item_details?.proration ?? false,
    from: toMs(line.period.start),
    to: toMs(line.period.end),
    quantity: BigInt(line.quantity ?? 0),
    amount: BigInt(line.amount),
  }))
}

/** A change is in force when it is paid; until then its invoice is open, and later void. */
function isCharged({ status, billing_reason: reason }: Stripe.Invoice): boolean {
  return status !== 'void' && !(status === 'open' && reason === 'subscription_update')
}

/** Stripe sends the first ten with the invoice. */
async function linesOf(
  stripe: Stripe,
  { id, lines }: Stripe.Invoice,
): Promise<readonly Stripe.InvoiceLineItem[]> {
  if (!lines.has_more || id === undefined) return lines.data
  return stripe.invoices.listLineItems(id, { limit: 100 }).autoPagingToArray({ limit: linesMax })
}

function priceOf({ pricing }: Stripe.InvoiceLineItem): string {
  return idOf(pricing?.price_details?.price)
}

/** Lines name prices by id alone. @returns id -> lookup key */
async function keysOf(stripe: Stripe, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const known = [...ids].filter((id) => id !== '')
  const found = await Promise.all(known.map((id) => stripe.prices.retrieve(id)))
  return new Map(found.map(({ id, lookup_key: key }) => [id, key ?? id]))
}

/** @throws billing.unsynced when Stripe has no such meter */
export async function readUsage(
  stripe: Stripe,
  { meter, customer, from, to }: Parameters<Payments['readUsage']>[0],
): Promise<number> {
  const { data: meters } = await stripe.billing.meters.list({ status: 'active', limit: 100 })
  const id = meters.find(({ event_name: event }) => event === meter)?.id
  if (id === undefined) throw fail('billing.unsynced', `Stripe has no meter ${meter}.`)
  const { data } = await stripe.billing.meters.listEventSummaries(id, {
    customer,
    start_time: toSeconds(from),
    end_time: toSeconds(to),
  })
  return data.reduce((sum, { aggregated_value: value }) => sum + value, 0)
}

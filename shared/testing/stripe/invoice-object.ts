/** An invoice as an object: its lines, its taxes and its sums. Nothing here has an effect outside of it. */
import type { Stripe } from 'stripe'
import { findCustomer } from './customers.ts'
import { sumOf } from './meter-usage.ts'
import { priced } from './money.ts'
import { whole } from './pages.ts'
import { lineOf, type PendingLine } from './pending-lines.ts'
import type { Interval, Period } from './periods.ts'
import { tiersOf } from './prices.ts'
import { taxesOf } from './tax.ts'
import { idOf, type World } from './world.ts'

export type Spec = {
  readonly reason: NonNullable<Stripe.Invoice['billing_reason']>
  readonly lines: readonly PendingLine[]
  readonly period: Period
}

/** Fields that a draft does not have yet, or nobody here uses. */
const unusedOfInvoice = {
  livemode: false,
  amount_overpaid: 0,
  amount_shipping: 0,
  post_payment_credit_notes_amount: 0,
  pre_payment_credit_notes_amount: 0,
  account_tax_ids: null,
  application: null,
  automatically_finalizes_at: null,
  custom_fields: null,
  customer_account: null,
  customer_shipping: null,
  default_payment_method: null,
  default_source: null,
  description: null,
  due_date: null,
  effective_at: null,
  ending_balance: null,
  footer: null,
  from_invoice: null,
  hosted_invoice_url: null,
  invoice_pdf: null,
  last_finalization_error: null,
  latest_revision: null,
  next_payment_attempt: null,
  number: null,
  on_behalf_of: null,
  receipt_number: null,
  rendering: null,
  shipping_cost: null,
  shipping_details: null,
  statement_descriptor: null,
  webhooks_delivered_at: null,
} as const satisfies Partial<Stripe.Invoice>

/** A draft, which nobody knows of yet. */
export function draftOf(
  world: World,
  subscription: Stripe.Subscription,
  { reason, lines, period }: Spec,
): Stripe.Invoice {
  const customer = findCustomer(world, idOf(subscription.customer))
  const id = world.id('in', 24)
  const isAutomatic = subscription.automatic_tax.enabled
  const invoice: Stripe.Invoice = {
    ...unusedOfInvoice,
    id,
    object: 'invoice',
    account_country: world.settings.country,
    account_name: 'Tunnels',
    amount_due: 0,
    amount_paid: 0,
    amount_remaining: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: {
      disabled_reason: null,
      enabled: isAutomatic,
      liability: isAutomatic ? { type: 'self' } : null,
      provider: isAutomatic ? 'stripe' : null,
      status: isAutomatic ? 'complete' : null,
    },
    billing_reason: reason,
    collection_method: subscription.collection_method,
    created: world.now(),
    currency: subscription.currency,
    customer: customer.id,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_tax_exempt: customer.tax_exempt ?? null,
    default_tax_rates: [],
    discounts: [],
    issuer: { type: 'self' },
    lines: whole(
      lines.map((line) => lineOf(world, line, id)),
      `/v1/invoices/${id}/lines`,
    ),
    metadata: {},
    parent: {
      quote_details: null,
      subscription_details: { metadata: { ...subscription.metadata }, subscription: subscription.id },
      type: 'subscription_details',
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: period.end,
    period_start: period.start,
    starting_balance: customer.balance,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: customer.test_clock ?? null,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
  }
  sumUp(world, invoice)
  return invoice
}

/** Taxes of each line, and all sums from them. */
export function sumUp(world: World, invoice: Stripe.Invoice): void {
  const customer = findCustomer(world, idOf(invoice.customer ?? ''))
  let subtotal = 0
  let exclusive = 0
  let inclusive = 0
  for (const line of invoice.lines.data) {
    const price = world.find('prices', idOf(line.pricing?.price_details?.price ?? ''), 'price')
    line.taxes = invoice.automatic_tax.enabled ? taxesOf(world, customer, { amount: line.amount, price }) : []
    subtotal += line.amount
    for (const { amount, tax_behavior: behavior } of line.taxes) {
      if (behavior === 'inclusive') inclusive += amount
      else exclusive += amount
    }
  }
  invoice.subtotal = subtotal
  invoice.subtotal_excluding_tax = subtotal - inclusive
  invoice.total = subtotal + exclusive
  invoice.total_excluding_tax = subtotal - inclusive
  invoice.total_taxes = totalTaxes(invoice.lines.data)
  if (invoice.status !== 'draft') return
  invoice.starting_balance = customer.balance
  invoice.amount_due = Math.max(0, invoice.total + customer.balance)
  if (invoice.total < 0) invoice.amount_due = 0
  invoice.amount_remaining = invoice.amount_due
}

/** One entry for each rate and behaviour. */
function totalTaxes(lines: readonly Stripe.InvoiceLineItem[]): Stripe.Invoice.TotalTax[] {
  const found = new Map<string, Stripe.Invoice.TotalTax>()
  for (const tax of lines.flatMap(({ taxes }) => taxes ?? [])) {
    const key = `${tax.tax_behavior} ${tax.taxability_reason}`
    const sum = found.get(key)
    if (sum) {
      sum.amount += tax.amount
      sum.taxable_amount = (sum.taxable_amount ?? 0) + (tax.taxable_amount ?? 0)
    } else found.set(key, { ...tax })
  }
  return [...found.values()]
}

/** A licensed item for a period that is paid in advance. */
export function licensedLine(
  world: World,
  item: Stripe.SubscriptionItem,
  period: Period,
  isTrial: boolean,
): PendingLine {
  const quantity = item.quantity ?? 1
  return {
    subscription: item.subscription,
    item: item.id,
    price: item.price,
    quantity,
    amount: isTrial ? 0 : amountOf(world, item.price, quantity),
    isProration: false,
    period,
    description: isTrial ? 'Trial period' : `${quantity} × ${nameOf(world, item.price)}`,
  }
}

/** What a metered item used in a period that is over, or runs. */
export function meteredLine(
  world: World,
  item: Stripe.SubscriptionItem,
  customer: string,
  period: Period,
): PendingLine {
  const meter = item.price.recurring?.meter ?? ''
  const quantity = sumOf(world.usage, { meter, customer }, period)
  return {
    subscription: item.subscription,
    item: item.id,
    price: item.price,
    quantity,
    amount: amountOf(world, item.price, quantity),
    isProration: false,
    period,
    description: `${quantity} × ${nameOf(world, item.price)}`,
  }
}

export function isMetered({ price }: { readonly price: Stripe.Price }): boolean {
  return price.recurring?.usage_type === 'metered'
}

export function intervalOf(subscription: Stripe.Subscription): Interval {
  return (subscription.items.data[0]?.price.recurring?.interval ?? 'month') as Interval
}

/** Graduated tiers charge each unit at the tier in which it lies. */
export function amountOf(world: World, price: Stripe.Price, quantity: number): number {
  if (price.billing_scheme !== 'tiered') return priced(String(price.unit_amount_decimal ?? '0'), quantity)
  let left = quantity
  let below = 0
  let sum = 0
  for (const { up_to: end, unit_amount_decimal: unit, flat_amount: flat } of tiersOf(world).get(price.id) ??
    []) {
    if (left <= 0) break
    const inTier = end === null ? left : Math.min(left, end - below)
    sum += priced(String(unit ?? '0'), inTier) + (flat ?? 0)
    left -= inTier
    below = end ?? below
  }
  return sum
}

export function nameOf(world: World, price: Stripe.Price): string {
  return world.tables.products.get(idOf(price.product))?.name ?? price.id
}

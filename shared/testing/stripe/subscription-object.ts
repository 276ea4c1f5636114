/** Subscriptions and their items as objects, and what may be in one together. */
import type { Stripe } from 'stripe'
import { findCustomer } from './customers.ts'
import { isMetered } from './invoice-object.ts'
import { whole } from './pages.ts'
import type { Period } from './periods.ts'
import { invalid, notBuilt } from './refusal.ts'
import { checkTaxable } from './tax.ts'
import { idOf, type World } from './world.ts'

export type AskedItem = { readonly price: Stripe.Price; readonly quantity: number | undefined }
export type AskedSubscription = {
  readonly customer: Stripe.Customer
  readonly items: readonly AskedItem[]
  readonly trialEnd: number | undefined
  readonly automaticTax: boolean
  readonly metadata: Stripe.Metadata
  readonly method: string | null
  readonly description: string | null
  readonly missingMethod: 'cancel' | 'create_invoice' | 'pause'
  readonly cancelAtPeriodEnd: boolean
}

const itemsMax = 20

/** @throws Refusal for prices that cannot be in one subscription */
export function checkItems(world: World, customer: Stripe.Customer, items: readonly AskedItem[]): void {
  if (items.length === 0) throw invalid('Missing required param: items.', { param: 'items' })
  if (items.length > itemsMax) throw invalid(`A subscription may have ${itemsMax} items`, { param: 'items' })
  for (const [index, { price, quantity }] of items.entries()) {
    const param = `items[${index}][price]`
    if (!price.active)
      throw invalid('The price specified is inactive. This field only accepts active prices.', { param })
    if (!price.recurring) throw invalid('The price specified is of type one_time.', { param })
    if (isMetered({ price }) && quantity !== undefined)
      throw invalid('Quantity should not be specified where usage_type is metered.', {
        param: `items[${index}][quantity]`,
      })
    if ((quantity ?? 1) < 0)
      throw invalid('Invalid non-negative integer', { param: `items[${index}][quantity]` })
  }
  const prices = items.map(({ price }) => price)
  if (new Set(prices.map(({ id }) => id)).size < prices.length)
    throw invalid('Cannot add multiple subscription items with the same price.', { param: 'items' })
  if (new Set(prices.map(({ currency }) => currency)).size > 1)
    throw invalid('All prices on a subscription must have the same currency.', { param: 'items' })
  if (new Set(prices.map(({ recurring }) => recurring?.interval)).size > 1)
    throw notBuilt('items with different intervals in one subscription')
  const currency = prices[0]?.currency
  const others = world
    .all('subscriptions')
    .filter(
      ({ customer: owner, status }) =>
        owner === customer.id && !/^(canceled|incomplete_expired)$/.test(status),
    )
  if (others.some((other) => other.currency !== currency))
    throw invalid(
      `You cannot combine currencies on a single customer. This customer has an active subscription, subscription schedule, discount, quote, or invoice item with currency ${others[0]?.currency ?? ''}`,
    )
}

/** Fields that nobody here uses, or that come later. */
const unusedOfSubscription = {
  application: null,
  application_fee_percent: null,
  billing_cycle_anchor_config: null,
  billing_thresholds: null,
  cancel_at: null,
  customer_account: null,
  days_until_due: null,
  default_source: null,
  ended_at: null,
  latest_invoice: null,
  managed_payments: null,
  next_pending_invoice_item_invoice: null,
  on_behalf_of: null,
  pause_collection: null,
  pending_invoice_item_interval: null,
  pending_setup_intent: null,
  pending_update: null,
  schedule: null,
  transfer_data: null,
} as const satisfies Partial<Stripe.Subscription>

export function subscriptionOf(world: World, asked: AskedSubscription): Stripe.Subscription {
  const { customer, trialEnd, automaticTax } = asked
  if (automaticTax)
    checkTaxable(
      customer,
      asked.items.map(({ price }) => price),
    )
  const id = world.id('sub', 24)
  const now = world.now()
  const [first] = asked.items
  return {
    ...unusedOfSubscription,
    id,
    object: 'subscription',
    automatic_tax: {
      disabled_reason: null,
      enabled: automaticTax,
      liability: automaticTax ? { type: 'self' } : null,
    },
    billing_cycle_anchor: trialEnd ?? now,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible', updated_at: now },
    billing_schedules: [],
    cancel_at_period_end: asked.cancelAtPeriodEnd,
    canceled_at: asked.cancelAtPeriodEnd ? now : null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: 'charge_automatically',
    created: now,
    currency: first?.price.currency ?? 'usd',
    customer: customer.id,
    default_payment_method: asked.method,
    default_tax_rates: [],
    description: asked.description,
    discounts: [],
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: whole([], `/v1/subscription_items?subscription=${id}`),
    livemode: false,
    metadata: asked.metadata,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: 'off',
    },
    start_date: now,
    status: trialEnd === undefined ? 'active' : 'trialing',
    test_clock: customer.test_clock ?? null,
    trial_end: trialEnd ?? null,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: asked.missingMethod },
    },
    trial_start: trialEnd === undefined ? null : now,
  }
}

export function itemOf(
  world: World,
  subscription: string,
  { price, quantity, period }: AskedItem & { readonly period: Period },
): Stripe.SubscriptionItem {
  return {
    id: world.id('si', 14),
    object: 'subscription_item',
    billing_thresholds: null,
    created: world.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: planOf(price),
    price,
    ...(!isMetered({ price }) && { quantity: quantity ?? 1 }),
    subscription,
    tax_rates: [],
  }
}

/** The older shape of a price, which each item still has. */
export function planOf(price: Stripe.Price): Stripe.Plan {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? 'month',
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: price.recurring?.meter ?? null,
    nickname: price.nickname,
    product: idOf(price.product),
    tiers_mode: price.tiers_mode,
    transform_usage: null,
    trial_period_days: null,
    usage_type: price.recurring?.usage_type ?? 'licensed',
  }
}

export function periodOf(subscription: Stripe.Subscription): Period {
  const [item] = subscription.items.data
  return { start: item?.current_period_start ?? 0, end: item?.current_period_end ?? 0 }
}

export function setPeriod(subscription: Stripe.Subscription, { start, end }: Period): void {
  for (const item of subscription.items.data) {
    item.current_period_start = start
    item.current_period_end = end
  }
}

export function customerOf(world: World, subscription: Stripe.Subscription): Stripe.Customer {
  return findCustomer(world, idOf(subscription.customer))
}

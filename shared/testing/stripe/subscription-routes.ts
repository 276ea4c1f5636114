/** Subscriptions over the API. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { findCustomer } from './customers.ts'
import { intervalOf } from './invoice-object.ts'
import { isWithin, page } from './pages.ts'
import { anyMetadata, createdRange, empty, flag, int, none, paging, params, text } from './params.ts'
import { cardFor } from './payment-methods.ts'
import { periodFrom } from './periods.ts'
import { invalid, notBuilt, Refusal } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { change } from './subscription-changes.ts'
import { cancelNow } from './subscription-end.ts'
import { startSubscription } from './subscription-start.ts'
import { checkTaxable } from './tax.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const automaticTax = z.strictObject({ enabled: flag })
const trialSettings = z.strictObject({
  end_behavior: z.strictObject({ missing_payment_method: z.enum(['cancel', 'create_invoice', 'pause']) }),
})
const createParams = params<Stripe.SubscriptionCreateParams>()({
  customer: text,
  items: z
    .array(params<Stripe.SubscriptionCreateParams.Item>()({ price: text, quantity: int.optional() }))
    .min(1),
  automatic_tax: automaticTax.optional(),
  billing_mode: z.strictObject({ type: z.literal('flexible') }).optional(),
  cancel_at_period_end: flag.optional(),
  default_payment_method: text.optional(),
  description: text.max(500).optional(),
  metadata: anyMetadata.optional(),
  off_session: flag.optional(),
  payment_behavior: z.enum(['allow_incomplete', 'default_incomplete', 'error_if_incomplete']).optional(),
  trial_end: int.optional(),
  trial_period_days: int.optional(),
  trial_settings: trialSettings.optional(),
})
const updateParams = params<Stripe.SubscriptionUpdateParams>()({
  items: z
    .array(
      params<Stripe.SubscriptionUpdateParams.Item>()({
        id: text.optional(),
        price: text.optional(),
        quantity: int.optional(),
        deleted: flag.optional(),
        clear_usage: flag.optional(),
      }),
    )
    .min(1)
    .optional(),
  automatic_tax: automaticTax.optional(),
  cancel_at: z.union([empty, int]).optional(),
  cancel_at_period_end: flag.optional(),
  default_payment_method: text.optional(),
  description: z.string().max(500).optional(),
  metadata: anyMetadata.optional(),
  off_session: flag.optional(),
  payment_behavior: z.enum(['allow_incomplete', 'error_if_incomplete', 'pending_if_incomplete']).optional(),
  proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
  proration_date: int.optional(),
  trial_end: z.union([z.literal('now'), int]).optional(),
  trial_settings: trialSettings.optional(),
})
type Update = z.output<typeof updateParams>
/** money.md, rule 11. */
const invoicesADay = 20

const statuses = ['active', 'all', 'canceled', 'ended', 'incomplete', 'incomplete_expired'] as const
const listParams = params<Stripe.SubscriptionListParams & Stripe.PaginationParams>()({
  ...paging,
  created: createdRange.optional(),
  customer: text.optional(),
  price: text.optional(),
  status: z.enum([...statuses, 'past_due', 'paused', 'trialing', 'unpaid']).optional(),
  test_clock: text.optional(),
})
const cancelParams = params<Stripe.SubscriptionCancelParams>()({
  cancellation_details: z.strictObject({ comment: z.string().optional() }).optional(),
  invoice_now: flag.optional(),
  prorate: flag.optional(),
})

export const subscriptionRoutes: readonly Route[] = [
  route('POST /v1/subscriptions', createParams, create),
  route('GET /v1/subscriptions', listParams, (world, asked) => {
    if (asked.customer !== undefined) findCustomer(world, asked.customer, 'customer')
    const found = world
      .all('subscriptions')
      .filter(
        (one) =>
          (asked.customer === undefined || one.customer === asked.customer) &&
          (asked.test_clock === undefined || one.test_clock === asked.test_clock) &&
          (asked.price === undefined || one.items.data.some(({ price }) => price.id === asked.price)) &&
          hasStatus(one, asked.status) &&
          isWithin(one.created, asked.created),
      )
    return page(found, asked, '/v1/subscriptions')
  }),
  route('GET /v1/subscriptions/:id', none, (world, _, id = '') => find(world, id)),
  route('POST /v1/subscriptions/:id', updateParams, (world, asked, id = '') => {
    const subscription = find(world, id)
    return world.onClock(subscription.test_clock, () => update(world, subscription, asked))
  }),
  route('DELETE /v1/subscriptions/:id', cancelParams, (world, asked, id = '') => {
    const subscription = find(world, id)
    checkLive(subscription)
    return world.onClock(subscription.test_clock, () => {
      cancelNow(world, subscription, {
        invoices: asked.invoice_now === true,
        prorates: asked.prorate === true,
      })
      if (asked.cancellation_details?.comment && subscription.cancellation_details)
        subscription.cancellation_details.comment = asked.cancellation_details.comment
      return subscription
    })
  }),
]

function find(world: World, id: string): Stripe.Subscription {
  return world.find('subscriptions', id, 'subscription')
}

/** Without a status, Stripe leaves out those that were canceled. */
function hasStatus({ status }: Stripe.Subscription, asked: string | undefined): boolean {
  if (asked === 'all') return true
  if (asked === 'ended') return status === 'canceled' || status === 'incomplete_expired'
  return asked === undefined ? status !== 'canceled' : status === asked
}

function create(world: World, asked: z.output<typeof createParams>): Stripe.Subscription {
  const customer = findCustomer(world, asked.customer, 'customer')
  cardFor(world, customer, asked.default_payment_method)
  const items = asked.items.map(({ price, quantity }, index) => ({
    price: world.find('prices', price, 'price', `items[${index}][price]`),
    quantity,
  }))
  return world.onClock(customer.test_clock, () => {
    const days = asked.trial_period_days
    if (days !== undefined && asked.trial_end !== undefined)
      throw invalid('You may only specify one of these parameters: trial_end, trial_period_days.')
    const trialEnd = asked.trial_end ?? (days ? world.now() + days * 86_400 : undefined)
    if (trialEnd !== undefined && trialEnd <= world.now())
      throw invalid('trial_end must be in the future', { param: 'trial_end' })
    return startSubscription(
      world,
      {
        customer,
        items,
        trialEnd,
        automaticTax: asked.automatic_tax?.enabled ?? false,
        metadata: mergedMetadata(null, asked.metadata),
        method: asked.default_payment_method ?? null,
        description: asked.description ?? null,
        missingMethod: asked.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
        cancelAtPeriodEnd: asked.cancel_at_period_end ?? false,
      },
      { behavior: asked.payment_behavior ?? 'allow_incomplete', isPresent: false },
    )
  })
}

function update(world: World, subscription: Stripe.Subscription, asked: Update): Stripe.Subscription {
  checkLive(subscription)
  checkUpdate(world, subscription, asked)
  if (asked.items) checkInvoices(world, subscription)
  const { items, trial_end: trialEnd } = asked
  const endsTrial = trialEnd === 'now' && subscription.status === 'trialing'
  if (items)
    change(world, subscription, {
      items,
      prorations: asked.proration_behavior ?? 'create_prorations',
      payment: asked.payment_behavior ?? 'allow_incomplete',
      prorationDate: asked.proration_date,
      resets: false,
    })
  world.change('customer.subscription.updated', subscription, () => applyPlain(world, subscription, asked))
  if (endsTrial) endTrial(world, subscription)
  return subscription
}

/** @throws Refusal before anything has changed */
function checkUpdate(world: World, subscription: Stripe.Subscription, asked: Update): void {
  if (asked.payment_behavior === 'pending_if_incomplete') checkPending(subscription, asked)
  if (subscription.pending_update && asked.items)
    throw invalid(
      'This subscription has a pending update; changes to its items are not possible until it is over.',
    )
  if (subscription.schedule && (asked.cancel_at_period_end !== undefined || asked.cancel_at !== undefined))
    throw invalid(
      `The subscription is managed by the subscription schedule \`${idOf(subscription.schedule)}\`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead.`,
    )
  if (asked.cancel_at && asked.cancel_at_period_end)
    throw invalid('You may only specify one of these parameters: cancel_at, cancel_at_period_end.')
  const customer = findCustomer(world, idOf(subscription.customer))
  if (asked.default_payment_method !== undefined) cardFor(world, customer, asked.default_payment_method)
  if (asked.automatic_tax?.enabled)
    checkTaxable(
      customer,
      subscription.items.data.map(({ price }) => price),
    )
  if (typeof asked.trial_end === 'number') throw notBuilt('trial_end other than now')
}

/** @throws Refusal 429 when changes have made as many invoices as Stripe allows */
function checkInvoices(world: World, { id }: Stripe.Subscription): void {
  const since = world.now() - 86_400
  const count = world
    .all('invoices')
    .filter(
      ({ created, parent }) => created > since && parent?.subscription_details?.subscription === id,
    ).length
  if (count >= invoicesADay)
    throw new Refusal(429, {
      type: 'invalid_request_error',
      code: 'rate_limit',
      message: `A subscription can have ${invoicesADay} new invoices a day.`,
    })
}

/** docs.stripe.com/billing/subscriptions/pending-updates-reference: few parameters go with it. */
function checkPending(subscription: Stripe.Subscription, asked: Update): void {
  const allowed = [
    'items',
    'off_session',
    'payment_behavior',
    'proration_behavior',
    'proration_date',
    'trial_end',
  ]
  const other = Object.keys(asked).find((key) => !allowed.includes(key))
  if (other !== undefined)
    throw invalid(
      `When payment_behavior is pending_if_incomplete, you can only pass supported params. ${other} is not.`,
      {
        param: other,
      },
    )
  if (subscription.collection_method !== 'charge_automatically')
    throw invalid('pending_if_incomplete needs charges')
  if (asked.items && asked.proration_behavior !== 'always_invoice')
    throw notBuilt('pending_if_incomplete without proration_behavior=always_invoice')
}

function checkLive({ status, id }: Stripe.Subscription): void {
  if (status === 'canceled' || status === 'incomplete_expired')
    throw invalid(
      `No such subscription: '${id}'. A canceled subscription can only update its cancellation_details and metadata.`,
      {
        code: 'resource_missing',
        param: 'id',
      },
    )
}

function applyPlain(world: World, subscription: Stripe.Subscription, asked: Update): void {
  subscription.metadata = mergedMetadata(subscription.metadata, asked.metadata)
  if (asked.default_payment_method !== undefined)
    subscription.default_payment_method = asked.default_payment_method
  if (asked.description !== undefined) subscription.description = asked.description || null
  if (asked.automatic_tax) subscription.automatic_tax.enabled = asked.automatic_tax.enabled
  if (asked.cancel_at !== undefined) subscription.cancel_at = asked.cancel_at === '' ? null : asked.cancel_at
  if (asked.trial_settings && subscription.trial_settings)
    subscription.trial_settings.end_behavior.missing_payment_method =
      asked.trial_settings.end_behavior.missing_payment_method
  if (asked.cancel_at_period_end === undefined) return
  subscription.cancel_at_period_end = asked.cancel_at_period_end
  subscription.canceled_at = asked.cancel_at_period_end ? world.now() : null
  subscription.cancel_at = asked.cancel_at_period_end
    ? (subscription.items.data[0]?.current_period_end ?? null)
    : null
}

/** The first paid period begins now. */
function endTrial(world: World, subscription: Stripe.Subscription): void {
  const now = world.now()
  const period = periodFrom(now, intervalOf(subscription), now)
  subscription.trial_end = now
  change(world, subscription, {
    items: [],
    prorations: 'none',
    payment: 'allow_incomplete',
    prorationDate: undefined,
    resets: true,
  })
  world.change('customer.subscription.updated', subscription, () => {
    subscription.billing_cycle_anchor = period.start
    if (subscription.status === 'trialing') subscription.status = 'active'
  })
}

/** Schedules of subscriptions: what they become later. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { page } from './pages.ts'
import { anyMetadata, flag, int, metadata, none, paging, params, text } from './params.ts'
import { after, type Interval } from './periods.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { release } from './schedule-time.ts'
import { checkItems, periodOf } from './subscription-object.ts'
import { endNow } from './subscription-states.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const phase = params<Stripe.SubscriptionScheduleUpdateParams.Phase>()({
  items: z
    .array(
      params<Stripe.SubscriptionScheduleUpdateParams.Phase.Item>()({ price: text, quantity: int.optional() }),
    )
    .min(1),
  start_date: int.optional(),
  end_date: int.optional(),
  duration: z
    .strictObject({ interval: z.enum(['day', 'month', 'week', 'year']), interval_count: int.optional() })
    .optional(),
  metadata: metadata.optional(),
  proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
})
type Phase = z.output<typeof phase>

const createParams = params<Stripe.SubscriptionScheduleCreateParams>()({
  from_subscription: text,
  metadata: anyMetadata.optional(),
})
const updateParams = params<Stripe.SubscriptionScheduleUpdateParams>()({
  end_behavior: z.enum(['cancel', 'release']).optional(),
  metadata: anyMetadata.optional(),
  phases: z.array(phase).min(1).max(10).optional(),
  proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
})
const listParams = params<Stripe.SubscriptionScheduleListParams & Stripe.PaginationParams>()({
  ...paging,
  customer: text.optional(),
})

export const scheduleRoutes: readonly Route[] = [
  route('POST /v1/subscription_schedules', createParams, create),
  route('GET /v1/subscription_schedules', listParams, (world, asked) => {
    const found = world
      .all('schedules')
      .filter(({ customer }) => asked.customer === undefined || customer === asked.customer)
    return page(found, asked, '/v1/subscription_schedules')
  }),
  route('GET /v1/subscription_schedules/:id', none, (world, _, id = '') => find(world, id)),
  route('POST /v1/subscription_schedules/:id', updateParams, (world, asked, id = '') => {
    const schedule = live(world, id)
    const subscription = world.find('subscriptions', idOf(schedule.subscription ?? ''), 'subscription')
    return world.onClock(schedule.test_clock, () => {
      const phases = asked.phases && phasesOf(world, { schedule, subscription, asked: asked.phases })
      world.change('subscription_schedule.updated', schedule, () => {
        if (phases) schedule.phases = phases
        const current = phases?.find(
          ({ start_date: start, end_date: end }) => start <= world.now() && world.now() < end,
        )
        if (current) schedule.current_phase = { start_date: current.start_date, end_date: current.end_date }
        schedule.end_behavior = asked.end_behavior ?? schedule.end_behavior
        schedule.metadata = mergedMetadata(schedule.metadata, asked.metadata)
      })
      return schedule
    })
  }),
  route(
    'POST /v1/subscription_schedules/:id/release',
    params<Stripe.SubscriptionScheduleReleaseParams>()({ preserve_cancel_date: flag.optional() }),
    (world, _, id = '') => {
      const schedule = live(world, id)
      return world.onClock(schedule.test_clock, () => {
        release(world, schedule, world.tables.subscriptions.get(idOf(schedule.subscription ?? '')))
        return schedule
      })
    },
  ),
  route('POST /v1/subscription_schedules/:id/cancel', none, (world, _, id = '') => {
    const schedule = live(world, id)
    return world.onClock(schedule.test_clock, () => {
      endNow(
        world,
        world.find('subscriptions', idOf(schedule.subscription ?? ''), 'subscription'),
        'cancellation_requested',
      )
      return schedule
    })
  }),
]

function find(world: World, id: string): Stripe.SubscriptionSchedule {
  return world.find('schedules', id, 'subscription schedule')
}

function live(world: World, id: string): Stripe.SubscriptionSchedule {
  const schedule = find(world, id)
  if (schedule.status !== 'active' && schedule.status !== 'not_started')
    throw invalid(
      `You cannot update a subscription schedule that is currently in the \`${schedule.status}\` status.`,
    )
  return schedule
}

function create(world: World, asked: z.output<typeof createParams>): Stripe.SubscriptionSchedule {
  const subscription = world.find(
    'subscriptions',
    asked.from_subscription,
    'subscription',
    'from_subscription',
  )
  if (subscription.schedule)
    throw invalid('The subscription already has a schedule', { param: 'from_subscription' })
  if (subscription.cancel_at_period_end || subscription.cancel_at !== null)
    throw invalid('A subscription that will be canceled cannot be migrated to a schedule', {
      param: 'from_subscription',
    })
  return world.onClock(subscription.test_clock, () => {
    const { start, end } = periodOf(subscription)
    const items = subscription.items.data.map(({ price, quantity }) => phaseItem(price, quantity))
    const schedule: Stripe.SubscriptionSchedule = {
      id: world.id('sub_sched', 24),
      object: 'subscription_schedule',
      application: null,
      billing_mode: subscription.billing_mode as Stripe.SubscriptionSchedule.BillingMode,
      canceled_at: null,
      completed_at: null,
      created: world.now(),
      current_phase: { start_date: start, end_date: end },
      customer: idOf(subscription.customer),
      customer_account: null,
      default_settings: defaultsOf(),
      end_behavior: 'release',
      livemode: false,
      metadata: mergedMetadata(null, asked.metadata),
      pause_schedules: [],
      phases: [
        phaseObject(subscription.currency, {
          start,
          end,
          items,
          prorations: 'create_prorations',
          metadata: {},
        }),
      ],
      released_at: null,
      released_subscription: null,
      status: 'active',
      subscription: subscription.id,
      test_clock: subscription.test_clock,
    }
    world.keep('schedules', schedule)
    world.emit('subscription_schedule.created', schedule)
    world.change('customer.subscription.updated', subscription, () => {
      subscription.schedule = schedule.id
    })
    return schedule
  })
}

/** What phases have that say nothing else. */
function defaultsOf(): Stripe.SubscriptionSchedule.DefaultSettings {
  return {
    application_fee_percent: null,
    billing_cycle_anchor: 'automatic',
    billing_thresholds: null,
    collection_method: 'charge_automatically',
    default_payment_method: null,
    description: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      days_until_due: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    on_behalf_of: null,
    transfer_data: null,
  }
}

type Phases = {
  readonly schedule: Stripe.SubscriptionSchedule
  readonly subscription: Stripe.Subscription
  readonly asked: readonly Phase[]
}

/** @throws Refusal unless the first is the one that runs, and each begins where the one before ends */
function phasesOf(
  world: World,
  { schedule, subscription, asked }: Phases,
): Stripe.SubscriptionSchedule.Phase[] {
  const current = schedule.current_phase
  const phases: Stripe.SubscriptionSchedule.Phase[] = []
  for (const [index, one] of asked.entries()) {
    const before = phases.at(-1)
    const start = one.start_date ?? before?.end_date
    if (start === undefined)
      throw invalid('Missing required param: phases[0][start_date].', { param: 'phases' })
    if (before && start !== before.end_date)
      throw invalid('Phases must follow each other', { param: 'phases' })
    if (!before && current && start !== current.start_date)
      throw invalid('You cannot change the start of the phase that runs', { param: 'phases' })
    const interval = world.find('prices', one.items[0]?.price ?? '', 'price', 'phases').recurring?.interval
    const end = endOf(one, start, {
      interval: (interval ?? 'month') as Interval,
      isLast: index === asked.length - 1,
    })
    if (end <= start || (index === 0 && end <= world.now()))
      throw invalid('The phase ends before it begins', { param: 'phases' })
    const priced = one.items.map(({ price, quantity }) => ({
      price: world.find('prices', price, 'price', 'phases'),
      quantity,
    }))
    checkItems(world, world.find('customers', idOf(subscription.customer), 'customer'), priced)
    const items = priced.map(({ price, quantity }) => phaseItem(price, quantity))
    const prorations = one.proration_behavior ?? 'create_prorations'
    phases.push(
      phaseObject(subscription.currency, { start, end, items, prorations, metadata: one.metadata ?? {} }),
    )
  }
  return phases
}

type Last = { readonly interval: Interval; readonly isLast: boolean }

/** The last phase may be without an end: it is a period of its prices then. */
function endOf({ end_date: end, duration }: Phase, start: number, { interval, isLast }: Last): number {
  if (end !== undefined && duration) throw invalid('Only one of end_date and duration', { param: 'phases' })
  if (duration) return after(start, duration.interval, duration.interval_count ?? 1)
  if (end === undefined && isLast) return after(start, interval, 1)
  if (end === undefined) throw invalid('A phase that is not the last needs an end', { param: 'phases' })
  return end
}

function phaseItem(
  price: Stripe.Price,
  quantity: number | undefined,
): Stripe.SubscriptionSchedule.Phase.Item {
  return {
    billing_thresholds: null,
    discounts: [],
    metadata: {},
    plan: price.id,
    price: price.id,
    ...(price.recurring?.usage_type !== 'metered' && { quantity: quantity ?? 1 }),
  }
}

type PhaseSpec = {
  readonly start: number
  readonly end: number
  readonly items: Stripe.SubscriptionSchedule.Phase.Item[]
  readonly prorations: 'always_invoice' | 'create_prorations' | 'none'
  readonly metadata: Stripe.Metadata
}

function phaseObject(
  currency: string,
  { start, end, items, prorations, metadata: own }: PhaseSpec,
): Stripe.SubscriptionSchedule.Phase {
  return {
    add_invoice_items: [],
    application_fee_percent: null,
    billing_cycle_anchor: null,
    billing_thresholds: null,
    collection_method: null,
    currency,
    default_payment_method: null,
    description: null,
    discounts: [],
    end_date: end,
    invoice_settings: null,
    items,
    metadata: own,
    on_behalf_of: null,
    proration_behavior: prorations,
    start_date: start,
    transfer_data: null,
    trial_end: null,
  }
}

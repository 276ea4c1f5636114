/** Meters, what they receive, and what they sum up. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { findCustomer } from './customers.ts'
import type { MeterProblem } from './meter-usage.ts'
import { page } from './pages.ts'
import { int, none, paging, params, text } from './params.ts'
import { invalid, notBuilt } from './refusal.ts'
import { type Route, route } from './routes.ts'
import type { World } from './world.ts'

const hour = 3_600
/** docs.stripe.com/api/billing/meter-event: 35 days back, five minutes ahead. */
const oldest = 35 * 86_400
const ahead = 300
/** An identifier is unique for at least a day. */
const identifierFor = 86_400

const window = z.enum(['hour', 'day'])
const createParams = params<Stripe.Billing.MeterCreateParams>()({
  display_name: text.max(250),
  event_name: text.max(100),
  default_aggregation: z.strictObject({ formula: z.enum(['sum', 'count', 'last']) }),
  customer_mapping: z.strictObject({ type: z.literal('by_id'), event_payload_key: text }).optional(),
  event_time_window: window.optional(),
  value_settings: z.strictObject({ event_payload_key: text }).optional(),
})
const updateParams = params<Stripe.Billing.MeterUpdateParams>()({ display_name: text.max(250).optional() })
const listParams = params<Stripe.Billing.MeterListParams & Stripe.PaginationParams>()({
  ...paging,
  status: z.enum(['active', 'inactive']).optional(),
})
const eventParams = params<Stripe.Billing.MeterEventCreateParams>()({
  event_name: text.max(100),
  payload: z.record(z.string(), z.string().max(100)),
  identifier: text.max(100).optional(),
  timestamp: int.optional(),
})
const summaryParams = params<Stripe.Billing.MeterListEventSummariesParams & Stripe.PaginationParams>()({
  ...paging,
  customer: text,
  start_time: int,
  end_time: int,
  value_grouping_window: window.optional(),
})

export const meterRoutes: readonly Route[] = [
  route('POST /v1/billing/meters', createParams, (world, asked) => {
    if (asked.default_aggregation.formula !== 'sum') throw notBuilt('meters that do not sum')
    if (asked.event_time_window === 'day') throw notBuilt('event_time_window=day')
    if (meterNamed(world, asked.event_name))
      throw invalid(`There is already an active meter with the event name ${asked.event_name}`, {
        param: 'event_name',
      })
    const meter: Stripe.Billing.Meter = {
      id: world.id('mtr_test', 24),
      object: 'billing.meter',
      created: world.now(),
      customer_mapping: asked.customer_mapping ?? { event_payload_key: 'stripe_customer_id', type: 'by_id' },
      default_aggregation: asked.default_aggregation,
      display_name: asked.display_name,
      event_name: asked.event_name,
      event_time_window: asked.event_time_window ?? null,
      livemode: false,
      status: 'active',
      status_transitions: { deactivated_at: null },
      updated: world.now(),
      value_settings: asked.value_settings ?? { event_payload_key: 'value' },
    }
    world.keep('meters', meter)
    world.emit('billing.meter.created', meter)
    return meter
  }),
  route('GET /v1/billing/meters', listParams, (world, asked) =>
    page(
      world.all('meters').filter(({ status }) => asked.status === undefined || status === asked.status),
      asked,
      '/v1/billing/meters',
    ),
  ),
  route('GET /v1/billing/meters/:id', none, (world, _, id = '') => world.find('meters', id, 'meter')),
  route('POST /v1/billing/meters/:id', updateParams, (world, asked, id = '') => {
    const meter = world.find('meters', id, 'meter')
    world.change('billing.meter.updated', meter, () => {
      meter.display_name = asked.display_name ?? meter.display_name
    })
    return meter
  }),
  route('POST /v1/billing/meters/:id/deactivate', none, (world, _, id = '') => setActive(world, id, false)),
  route('POST /v1/billing/meters/:id/reactivate', none, (world, _, id = '') => setActive(world, id, true)),
  route('GET /v1/billing/meters/:id/event_summaries', summaryParams, (world, asked, id = '') => {
    world.find('meters', id, 'meter')
    findCustomer(world, asked.customer, 'customer')
    return page(summaries(world, { ...asked, meter: id }), asked, `/v1/billing/meters/${id}/event_summaries`)
  }),
  route('POST /v1/billing/meter_events', eventParams, receive),
]

function meterNamed(world: World, name: string): Stripe.Billing.Meter | undefined {
  return world.all('meters').find(({ event_name: one, status }) => one === name && status === 'active')
}

function setActive(world: World, id: string, isActive: boolean): Stripe.Billing.Meter {
  const meter = world.find('meters', id, 'meter')
  if ((meter.status === 'active') === isActive) throw invalid(`The meter is already ${meter.status}.`)
  if (isActive && meterNamed(world, meter.event_name))
    throw invalid('Another active meter has this event name')
  world.change(isActive ? 'billing.meter.reactivated' : 'billing.meter.deactivated', meter, () => {
    meter.status = isActive ? 'active' : 'inactive'
    meter.status_transitions.deactivated_at = isActive ? null : world.now()
  })
  return meter
}

/** 200 says that it came, not that it counts: what is wrong with it, a report says later. */
function receive(world: World, asked: z.output<typeof eventParams>): Stripe.Billing.MeterEvent {
  const now = timeOf(world, asked.payload)
  const { timestamp = now, event_name: name } = asked
  if (timestamp < now - oldest)
    throw invalid('The timestamp must be within the past 35 calendar days', {
      param: 'timestamp',
      code: 'timestamp_too_far_in_past',
    })
  if (timestamp > now + ahead)
    throw invalid('The timestamp must be at most 5 minutes in the future', {
      param: 'timestamp',
      code: 'timestamp_in_future',
    })
  const identifier = asked.identifier ?? world.id('mtr_evt', 24)
  const key = `${name} ${identifier}`
  const before = world.usage.identifiers.get(key)
  if (before !== undefined && world.now() < before + identifierFor)
    throw invalid(`An event already exists with identifier ${identifier}.`, { param: 'identifier' })
  world.usage.identifiers.set(key, world.now())
  count(world, { name, identifier, timestamp, payload: asked.payload })
  return {
    object: 'billing.meter_event',
    created: now,
    event_name: name,
    identifier,
    livemode: false,
    payload: asked.payload,
    timestamp,
  }
}

/** A customer on a test clock sends events of its own time. */
function timeOf(world: World, payload: Readonly<Record<string, string>>): number {
  const customer = Object.values(payload)
    .map((id) => world.tables.customers.get(id))
    .find((one) => one !== undefined)
  const clock = world.tables.clocks.get(String(customer?.test_clock ?? ''))
  return clock?.frozen_time ?? world.now()
}

type Received = {
  readonly name: string
  readonly identifier: string
  readonly timestamp: number
  readonly payload: Readonly<Record<string, string>>
}

/** It counts, or its problem is kept for the next report. */
function count(world: World, received: Received): void {
  const { name, identifier, timestamp } = received
  const meter = world.all('meters').findLast(({ event_name: one }) => one === name)
  const read = meter && readEvent(world, meter, received)
  if (!meter || !read)
    addProblem(world, '', { code: 'no_meter', message: `No meter found for event name ${name}`, identifier })
  else if ('code' in read) addProblem(world, meter.id, { ...read, identifier })
  else addValue(world, meter, { ...read, timestamp })
}

type Problem = { readonly code: string; readonly message: string }
type Value = { readonly customer: string; readonly value: number }

function readEvent(world: World, meter: Stripe.Billing.Meter, { name, payload }: Received): Problem | Value {
  const { customer_mapping: mapping, value_settings: settings, status } = meter
  if (status !== 'active')
    return { code: 'archived_meter', message: `The meter for event name ${name} is not active` }
  const customer = payload[mapping.event_payload_key]
  if (customer === undefined)
    return { code: 'meter_event_no_customer_defined', message: 'Customer mapping key not found in payload' }
  if (!world.tables.customers.has(customer))
    return { code: 'meter_event_customer_not_found', message: `Customer with id ${customer} not found` }
  const value = payload[settings.event_payload_key]
  if (value === undefined)
    return { code: 'meter_event_value_not_found', message: 'Value key not found in payload' }
  if (!/^\d{1,15}$/.test(value))
    return { code: 'meter_event_invalid_value', message: `The value ${value} is not a whole number` }
  return { customer, value: Number(value) }
}

/** With a window, values of it are sums already: the one that was received last counts. */
function addValue(
  world: World,
  meter: Stripe.Billing.Meter,
  { customer, value, timestamp }: Value & { readonly timestamp: number },
): void {
  const key = `${meter.id} ${customer}`
  const values = world.usage.values.get(key) ?? new Map<number, number>()
  world.usage.values.set(key, values)
  const start = timestamp - (timestamp % hour)
  values.set(start, meter.event_time_window === null ? (values.get(start) ?? 0) + value : value)
}

function addProblem(world: World, meter: string, problem: MeterProblem): void {
  const found = world.usage.problems.get(meter) ?? []
  world.usage.problems.set(meter, [...found, problem])
  world.usage.problemsSince ??= Math.floor(world.clock.now() / 1_000)
}

type Asked = z.output<typeof summaryParams> & { readonly meter: string }

function summaries(world: World, asked: Asked): Stripe.Billing.MeterEventSummary[] {
  const { meter, customer, start_time: start, end_time: end, value_grouping_window: group } = asked
  const step = group === 'day' ? 24 * hour : group === 'hour' ? hour : 60
  if (start % step !== 0 || end % step !== 0)
    throw invalid(`start_time and end_time must be aligned with ${group ?? 'minute'} boundaries`, {
      param: 'start_time',
    })
  if (end <= start) throw invalid('end_time must be after start_time', { param: 'end_time' })
  const width = group === undefined ? end - start : step
  const sums = new Map<number, number>()
  if (group === undefined) sums.set(start, 0)
  for (const [at, value] of world.usage.values.get(`${meter} ${customer}`) ?? []) {
    if (at < start || at >= end) continue
    const from = start + Math.floor((at - start) / width) * width
    sums.set(from, (sums.get(from) ?? 0) + value)
  }
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([from, value]) => ({
      id: `mtrusg_test_${meter}_${from}`,
      object: 'billing.meter_event_summary',
      aggregated_value: value,
      end_time: from + width,
      livemode: false,
      meter,
      start_time: from,
    }))
}

/**
 * What the test server charges and what `bill()` computes are the same, for random months: two programs that share no
 * arithmetic. money.md, rule 22: prorations may differ by 1 a line, since each side rounds in its own way.
 */
import fc from 'fast-check'
import Stripe from 'stripe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bill, type Span } from '../../control/money/bill.ts'
import { builtInCatalogue } from '../../control/money/built-in.ts'
import { billableHours, includedOf } from '../../control/money/transfer.ts'
import { FakeClock } from '../fake-clock.ts'
import { type StripeServer, startStripe } from './server.ts'

const meterName = 'pt_transfer_mb_v1'
const keys = {
  pro: 'pt:pro:1:month:usd',
  team: 'pt:team:1:month:usd',
  seats: 'pt:team-seats:1:month:usd',
  transfer: `pt:transfer:${meterName}:usd`,
} as const
const hourMs = 3_600_000

let clock: FakeClock
let stripe: StripeServer
let sdk: Stripe
let prices: Record<keyof typeof keys, string>

beforeAll(async () => {
  clock = new FakeClock(Date.UTC(2026, 0, 30, 22, 41, 17))
  stripe = await startStripe({ clock })
  sdk = new Stripe(stripe.key, { ...stripe.sdk, maxNetworkRetries: 0 })
  const { id: meter } = await sdk.billing.meters.create({
    display_name: 'Transfer',
    event_name: meterName,
    default_aggregation: { formula: 'sum' },
    event_time_window: 'hour',
  })
  const make = async (name: keyof typeof keys, more: Partial<Stripe.PriceCreateParams>) => {
    const { id: product } = await sdk.products.create({ name })
    const recurring = { interval: 'month' } as const
    return (await sdk.prices.create({ currency: 'usd', product, lookup_key: keys[name], recurring, ...more }))
      .id
  }
  prices = {
    pro: await make('pro', { unit_amount: 900 }),
    team: await make('team', { unit_amount: 3_900 }),
    seats: await make('seats', { unit_amount: 900 }),
    transfer: await make('transfer', {
      unit_amount_decimal: Stripe.Decimal.from('0.012'),
      recurring: { interval: 'month', usage_type: 'metered', meter },
    }),
  }
})
afterAll(() => stripe.close())

/** At which share of the month, and what from then on. */
const moment = fc.integer({ min: 1, max: 9_999 })
const terms = fc.oneof(
  fc.constant({ plan: 'pro', seats: 1 } as const),
  fc.record({ plan: fc.constant('team' as const), seats: fc.integer({ min: 1, max: 9 }) }),
)
const history = fc.record({
  first: terms,
  changes: fc.uniqueArray(fc.tuple(moment, terms), { maxLength: 5, selector: ([at]) => at }),
  hours: fc.array(fc.tuple(moment, fc.bigInt(0n, 150_000_000_000n)), { maxLength: 12 }),
  cap: fc.bigInt(0n, 5_000n),
})
type Terms = { readonly plan: 'pro' | 'team'; readonly seats: number }

const extra = ({ plan, seats }: Terms) => (plan === 'team' ? Math.max(0, seats - 3) : 0)

async function begin(first: Terms): Promise<Stripe.Subscription> {
  const { id: customer } = await sdk.customers.create()
  const method = await sdk.paymentMethods.attach('pm_card_visa', { customer })
  return sdk.subscriptions.create({
    customer,
    default_payment_method: method.id,
    items: [
      { price: prices[first.plan] },
      { price: prices.transfer },
      ...(extra(first) > 0 ? [{ price: prices.seats, quantity: extra(first) }] : []),
    ],
  })
}

async function change(id: string, to: Terms): Promise<void> {
  const { items } = await sdk.subscriptions.retrieve(id)
  const plan = items.data.find(({ price }) => price.id === prices.pro || price.id === prices.team)
  const seats = items.data.find(({ price }) => price.id === prices.seats)
  const count = extra(to)
  await sdk.subscriptions.update(id, {
    items: [
      { id: plan?.id ?? '', price: prices[to.plan] },
      ...(seats && count === 0 ? [{ id: seats.id, deleted: true }] : []),
      ...(seats && count > 0 ? [{ id: seats.id, quantity: count }] : []),
      ...(!seats && count > 0 ? [{ price: prices.seats, quantity: count }] : []),
    ],
    proration_behavior: 'always_invoice',
    proration_date: Math.floor(clock.now() / 1_000),
  })
}

/** Sums by price, apart for prorations. */
type Sums = Map<string, number>
const add = (sums: Sums, key: string, amount: number) => sums.set(key, (sums.get(key) ?? 0) + amount)

/** All that was invoiced for the period. */
async function charged(id: string, period: { start: number; end: number }): Promise<Sums> {
  const names = new Map(
    Object.entries(prices).map(([name, price]) => [price, keys[name as keyof typeof keys]]),
  )
  const sums: Sums = new Map()
  for await (const invoice of sdk.invoices.list({ subscription: id }))
    for (const { amount, parent, period: at, pricing } of invoice.lines.data) {
      const price = names.get(String(pricing?.price_details?.price)) ?? ''
      if (at.start * 1_000 < period.start || at.start * 1_000 >= period.end) continue
      add(sums, `${price} ${parent?.subscription_item_details?.proration}`, amount)
    }
  return sums
}

describe('stripe test server and bill()', () => {
  test('a month of random changes and use comes to the same on both sides', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ first, changes, hours, cap }) => {
        const subscription = await begin(first)
        const [item] = subscription.items.data
        const period = {
          start: (item?.current_period_start ?? 0) * 1_000,
          end: (item?.current_period_end ?? 0) * 1_000,
        }
        const place = (at: number) => {
          const ms = period.start + Math.floor(((period.end - period.start) / 10_000) * at)
          return ms - (ms % 1_000)
        }
        const spans: Span[] = []
        const state = { version: 1, interval: 'month', state: 'active', cap } as const
        let [from, now]: [number, Terms] = [period.start, first]
        for (const [at, to] of [...changes].sort(([a], [b]) => a - b)) {
          clock.advance(place(at) - clock.now())
          await change(subscription.id, to)
          spans.push({ ...state, ...now, from, to: clock.now() })
          from = clock.now()
          now = to
        }
        spans.push({ ...state, ...now, from, to: period.end + hourMs })
        clock.advance(period.end - clock.now() - 1_000)
        const used = new Map(hours.map(([at, bytes]) => [place(at) - (place(at) % hourMs), bytes]))
        const input = {
          currency: 'usd',
          catalogueOf: () => builtInCatalogue,
          timeline: spans,
          period,
          hours: used,
        } as const
        const ours = bill(input)
        await reportAll(String(subscription.customer), input)
        clock.advance(8 * hourMs)

        const theirs = await charged(subscription.id, period)
        const wanted: Sums = new Map()
        for (const { price, amount, isProration } of ours.lines)
          add(wanted, `${price} ${isProration}`, Number(amount))
        for (const key of new Set([...theirs.keys(), ...wanted.keys()])) {
          const off = Math.abs((theirs.get(key) ?? 0) - (wanted.get(key) ?? 0))
          expect(off, key).toBeLessThanOrEqual(key.endsWith('true') ? changes.length : 0)
        }
        await sdk.subscriptions.cancel(subscription.id)
      }),
      { numRuns: 12 },
    )
  })
})

/** As our own sender does it: each hour beyond what is included, until the cap. */
async function reportAll(customer: string, input: Parameters<typeof bill>[0]): Promise<void> {
  const rate = 12_000_000_000n
  const { plans } = builtInCatalogue
  const spans = input.timeline.map(({ from, to, plan, cap }) => {
    const gigabytes = plans[plan]?.includedGB
    return { from, to, cap, includedMB: BigInt(Number(gigabytes)) * 1_000n }
  })
  const included = includedOf({ period: input.period, spans })
  for (const [hour, value] of billableHours({ period: input.period, rate, spans, included }, input.hours))
    await sdk.billing.meterEvents.create({
      event_name: meterName,
      payload: { stripe_customer_id: customer, value: String(value) },
      identifier: `${customer}.${hour}.0`,
      timestamp: hour / 1_000,
    })
}

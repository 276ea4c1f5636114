/**
 * What we rely on at Stripe, as scenarios that run against the test server and, with `STRIPE_KEY=sk_test_...`, in a
 * sandbox. They move time by Stripe's own test clocks and find what they made by ids, so a sandbox may have more in it.
 * `confirms` names what only a sandbox can show: there the test server has its author's reading of the documents.
 */
import type { Stripe } from 'stripe'
import { expect } from 'vitest'

export type Stage = {
  readonly sdk: Stripe
  /** The test clock's time, Unix seconds. */
  now(): number
  advance(seconds: number): Promise<void>
  /** On the test clock, with a card that is the default. */
  customer(card?: string, more?: Stripe.CustomerCreateParams): Promise<string>
  /** A monthly price in USD of a product of its own. */
  price(cents: number, more?: Partial<Stripe.PriceCreateParams>): Promise<Stripe.Price>
  decimal(text: string): Stripe.Decimal
  /** For names that must be new in a sandbox. */
  readonly unique: string
}
export type Scenario = {
  readonly name: string
  readonly confirms?: string
  readonly run: (stage: Stage) => Promise<void>
}

const day = 86_400
const patience = { timeout: 120_000, interval: 500 }

export const scenarios: readonly Scenario[] = [
  {
    name: 'an unknown parameter is refused by its name',
    run: async ({ sdk }) => {
      const call = sdk.customers.create({ unknown_one: 'x' } as Stripe.CustomerCreateParams)
      expect(await refusal(call)).toMatchObject({
        status: 400,
        code: 'parameter_unknown',
        param: 'unknown_one',
      })
    },
  },
  {
    name: 'an idempotency key belongs to one request',
    run: async ({ sdk, unique }) => {
      const idempotencyKey = `key-${unique}`
      const first = await sdk.customers.create({ name: 'A' }, { idempotencyKey })
      expect((await sdk.customers.create({ name: 'A' }, { idempotencyKey })).id).toBe(first.id)
      const other = sdk.customers.create({ name: 'B' }, { idempotencyKey })
      expect(await refusal(other)).toMatchObject({ status: 400, type: 'idempotency_error' })
      await sdk.customers.del(first.id)
    },
  },
  {
    name: 'months follow the calendar from the day of the start',
    run: async (stage) => {
      const { sdk } = stage
      const subscription = await subscribe(stage, await stage.customer(), [await stage.price(900)])
      const starts = new Date(stage.now() * 1_000)
      const next = new Date(periodEnd(subscription) * 1_000)
      expect(next.getUTCMonth()).toBe((starts.getUTCMonth() + 1) % 12)
      await stage.advance(32 * day)
      expect(await sdk.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' })
      const invoices = await sdk.invoices.list({ subscription: subscription.id })
      expect(invoices.data.map(({ status, total }) => [status, total])).toEqual([
        ['paid', 900],
        ['paid', 900],
      ])
    },
  },
  {
    name: 'an upgrade is prorated by the second, and the preview says the same',
    confirms: 'each proration line is rounded on its own, half away from zero',
    run: async (stage) => {
      const { sdk } = stage
      const [pro, team] = [await stage.price(900), await stage.price(3_900)]
      const subscription = await subscribe(stage, await stage.customer(), [pro])
      const [item] = subscription.items.data
      await stage.advance(10 * day + 12_345)
      const change = {
        items: [{ id: item?.id ?? '', price: team.id }],
        proration_behavior: 'always_invoice' as const,
        proration_date: stage.now(),
      }
      const preview = await sdk.invoices.createPreview({
        subscription: subscription.id,
        subscription_details: change,
      })
      const changed = await sdk.subscriptions.update(subscription.id, {
        ...change,
        payment_behavior: 'pending_if_incomplete',
        expand: ['latest_invoice'],
      })
      const invoice = changed.latest_invoice as Stripe.Invoice
      const [from, to] = [item?.current_period_start ?? 0, item?.current_period_end ?? 1]
      const share = (to - stage.now()) / (to - from)
      const amounts = invoice.lines.data.map(({ amount }) => amount).sort((a, b) => a - b)
      expect(Math.abs((amounts[0] ?? 0) + 900 * share)).toBeLessThanOrEqual(0.5)
      expect(Math.abs((amounts[1] ?? 0) - 3_900 * share)).toBeLessThanOrEqual(0.5)
      expect(preview.total).toBe(invoice.total)
      expect(invoice.status).toBe('paid')
    },
  },
  {
    name: 'an upgrade that is not paid changes nothing, and its invoice becomes void',
    confirms: 'a pending update that expires makes its invoice void',
    run: async (stage) => {
      const { sdk } = stage
      const [pro, team] = [await stage.price(900), await stage.price(3_900)]
      const customer = await stage.customer()
      const subscription = await subscribe(stage, customer, [pro])
      await useCard(stage, customer, 'pm_card_chargeCustomerFail')
      await stage.advance(day)
      const waiting = await sdk.subscriptions.update(subscription.id, {
        items: [{ id: subscription.items.data[0]?.id ?? '', price: team.id }],
        proration_behavior: 'always_invoice',
        payment_behavior: 'pending_if_incomplete',
      })
      expect(waiting.pending_update).not.toBeNull()
      expect(waiting.items.data.map(({ price }) => price.id)).toEqual([pro.id])
      await stage.advance(2 * day)
      const after = await sdk.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] })
      expect(after.pending_update).toBeNull()
      expect(after.items.data.map(({ price }) => price.id)).toEqual([pro.id])
      expect((after.latest_invoice as Stripe.Invoice).status).toBe('void')
    },
  },
  {
    name: 'a card that fails makes the subscription past due, and a payment makes it active',
    confirms: "the account's plan of retries, which is set in the Dashboard",
    run: async (stage) => {
      const { sdk } = stage
      const customer = await stage.customer()
      const { id } = await subscribe(stage, customer, [await stage.price(900)])
      await useCard(stage, customer, 'pm_card_chargeCustomerFail')
      await stage.advance(33 * day)
      expect(await sdk.subscriptions.retrieve(id)).toMatchObject({ status: 'past_due' })
      const [open] = (await sdk.invoices.list({ subscription: id, status: 'open' })).data
      expect(open?.next_payment_attempt).toEqual(expect.any(Number))
      const good = await useCard(stage, customer, 'pm_card_visa')
      await sdk.invoices.pay(open?.id ?? '', { payment_method: good })
      expect(await sdk.subscriptions.retrieve(id)).toMatchObject({ status: 'active' })
    },
  },
  {
    name: 'a trial without a card ends without a charge',
    run: async (stage) => {
      const { sdk } = stage
      const customer = await stage.customer('')
      const price = await stage.price(900)
      const { id } = await sdk.subscriptions.create({
        customer,
        items: [{ price: price.id }],
        trial_period_days: 14,
        trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
      })
      await stage.advance(15 * day)
      expect(await sdk.subscriptions.retrieve(id)).toMatchObject({ status: 'canceled' })
      expect((await sdk.charges.list({ customer })).data).toEqual([])
    },
  },
  {
    name: 'a downgrade waits for the end of the period, without prorations',
    run: async (stage) => {
      const { sdk } = stage
      const [pro, team] = [await stage.price(900), await stage.price(3_900)]
      const subscription = await subscribe(stage, await stage.customer(), [team])
      const { id, phases } = await sdk.subscriptionSchedules.create({ from_subscription: subscription.id })
      const [first] = phases
      await sdk.subscriptionSchedules.update(id, {
        end_behavior: 'release',
        phases: [
          { items: [{ price: team.id }], start_date: first?.start_date ?? 0, end_date: first?.end_date ?? 0 },
          { items: [{ price: pro.id }], duration: { interval: 'month' }, proration_behavior: 'none' },
        ],
      })
      await stage.advance(33 * day)
      const after = await sdk.subscriptions.retrieve(subscription.id)
      expect(after.items.data.map(({ price }) => price.id)).toEqual([pro.id])
      const totals = (await sdk.invoices.list({ subscription: subscription.id })).data.map(
        ({ total }) => total,
      )
      expect(totals).toEqual([900, 3_900])
    },
  },
  {
    name: 'a customer who is subscribed has one currency',
    run: async (stage) => {
      const customer = await stage.customer()
      await subscribe(stage, customer, [await stage.price(900)])
      const euro = await stage.price(850, { currency: 'eur' })
      const call = stage.sdk.subscriptions.create({ customer, items: [{ price: euro.id }] })
      expect(await refusal(call)).toMatchObject({ status: 400 })
    },
  },
  {
    name: 'a part of an invoice is refunded by a credit note, and never more than was paid',
    run: async (stage) => {
      const { sdk } = stage
      const subscription = await subscribe(stage, await stage.customer(), [await stage.price(900)])
      const invoice = String(subscription.latest_invoice)
      const note = await sdk.creditNotes.create({ invoice, amount: 300, refund_amount: 300 })
      expect(note).toMatchObject({ amount: 300, type: 'post_payment', refunds: [{ amount_refunded: 300 }] })
      const more = sdk.creditNotes.create({ invoice, amount: 601, refund_amount: 601 })
      expect(await refusal(more)).toMatchObject({ status: 400 })
    },
  },
  {
    name: 'credit pays first, and what is too little to be charged waits',
    confirms: 'the least amounts of a charge, and the types of the moves of the balance',
    run: async (stage) => {
      const { sdk } = stage
      const customer = await stage.customer()
      await sdk.customers.createBalanceTransaction(customer, { amount: -880, currency: 'usd' })
      const subscription = await subscribe(stage, customer, [await stage.price(900)])
      const invoice = await sdk.invoices.retrieve(String(subscription.latest_invoice))
      expect(invoice).toMatchObject({ status: 'paid', total: 900, amount_paid: 0, ending_balance: 20 })
    },
  },
  {
    name: 'a disputed charge cannot be refunded',
    run: async (stage) => {
      const { sdk } = stage
      const customer = await stage.customer('pm_card_createDispute')
      await subscribe(stage, customer, [await stage.price(900)])
      const [charge] = (await sdk.charges.list({ customer })).data
      const find = async () => (await sdk.disputes.list({ charge: charge?.id ?? '' })).data[0]?.status
      await expect.poll(find, patience).toBe('needs_response')
      const refund = sdk.refunds.create({ charge: charge?.id ?? '' })
      expect(await refusal(refund)).toMatchObject({ code: 'charge_disputed' })
    },
  },
  {
    name: 'the value of an hour that came last counts, until the invoice is final',
    confirms: 'meter events follow the time of a test clock, and count while the invoice is a draft',
    run: (stage) => meteredMonth(stage),
  },
  {
    name: 'Checkout sells one interval at a time',
    run: async (stage) => {
      const { sdk } = stage
      const yearly = await stage.price(9_000, { recurring: { interval: 'year' } })
      const monthly = await stage.price(900)
      const session = (prices: readonly Stripe.Price[]) =>
        sdk.checkout.sessions.create({
          mode: 'subscription',
          success_url: 'https://tunnel.example.com/done',
          line_items: prices.map(({ id }) => ({ price: id, quantity: 1 })),
        })
      expect(await refusal(session([yearly, monthly]))).toMatchObject({ status: 400 })
      const made = await session([monthly])
      expect(made).toMatchObject({ status: 'open', amount_total: 900 })
      expect(await sdk.checkout.sessions.expire(made.id)).toMatchObject({ status: 'expired' })
    },
  },
]

async function meteredMonth(stage: Stage): Promise<void> {
  const { sdk, unique } = stage
  const eventName = `pt_scenario_${unique}`
  const meter = await sdk.billing.meters.create({
    display_name: eventName,
    event_name: eventName,
    default_aggregation: { formula: 'sum' },
    event_time_window: 'hour',
  })
  const product = await sdk.products.create({ name: `Transfer ${unique}` })
  const transfer = await sdk.prices.create({
    currency: 'usd',
    product: product.id,
    unit_amount_decimal: stage.decimal('0.012'),
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
  })
  const customer = await stage.customer()
  const subscription = await subscribe(stage, customer, [await stage.price(900), transfer])
  const hour = Math.ceil(stage.now() / 3_600) * 3_600
  await stage.advance(2 * day)
  const send = (value: number, rev: number) =>
    sdk.billing.meterEvents.create({
      event_name: eventName,
      payload: { stripe_customer_id: customer, value: String(value) },
      identifier: `${customer}.${hour}.${rev}`,
      timestamp: hour,
    })
  await send(90_000, 0)
  await send(50_000, 1)
  expect(await refusal(send(50_000, 1))).toMatchObject({ status: 400 })
  const window = { customer, start_time: hour, end_time: hour + 3_600 }
  const sum = async () =>
    (await sdk.billing.meters.listEventSummaries(meter.id, window)).data[0]?.aggregated_value
  await expect.poll(sum, patience).toBe(50_000)
  await stage.advance(periodEnd(subscription) - stage.now() + 600)
  await send(60_000, 2)
  const draft = async () => {
    const [invoice] = (await sdk.invoices.list({ subscription: subscription.id })).data
    return { status: invoice?.status, total: invoice?.total }
  }
  await expect.poll(draft, patience).toEqual({ status: 'draft', total: 900 + 720 })
}

function subscribe(
  stage: Stage,
  customer: string,
  prices: readonly Stripe.Price[],
): Promise<Stripe.Subscription> {
  const items = prices.map(({ id }) => ({ price: id }))
  return stage.sdk.subscriptions.create({ customer, items, payment_behavior: 'error_if_incomplete' })
}

async function useCard({ sdk }: Stage, customer: string, card: string): Promise<string> {
  const { id } = await sdk.paymentMethods.attach(card, { customer })
  await sdk.customers.update(customer, { invoice_settings: { default_payment_method: id } })
  return id
}

function periodEnd({ items }: Stripe.Subscription): number {
  return items.data[0]?.current_period_end ?? 0
}

type Refused = {
  readonly status: unknown
  readonly type: unknown
  readonly code: unknown
  readonly param: unknown
}

async function refusal(call: Promise<unknown>): Promise<Refused> {
  try {
    await call
  } catch (error) {
    const { statusCode: status, rawType: type, code, param } = error as Stripe.errors.StripeError
    return { status, type, code, param }
  }
  return expect.unreachable('it was not refused')
}

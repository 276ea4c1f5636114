import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { type StripeServer, startStripe } from './server.ts'

const day = 86_400_000
let clock: FakeClock
let stripe: StripeServer
let sdk: Stripe
let pro: Stripe.Price
let team: Stripe.Price

beforeEach(async () => {
  clock = new FakeClock(Date.UTC(2026, 0, 31, 10, 37))
  stripe = await startStripe({ clock })
  sdk = new Stripe(stripe.key, { ...stripe.sdk, maxNetworkRetries: 0 })
  pro = await priceOf('Pro', 900)
  team = await priceOf('Team', 3_900)
})
afterEach(() => stripe.close())

async function priceOf(name: string, unit_amount: number, more: Partial<Stripe.PriceCreateParams> = {}) {
  const product = await sdk.products.create({ name })
  return sdk.prices.create({
    currency: 'usd',
    product: product.id,
    unit_amount,
    recurring: { interval: 'month' },
    tax_behavior: 'exclusive',
    ...more,
  })
}

async function customerWith(card: string, params: Stripe.CustomerCreateParams = {}) {
  const customer = await sdk.customers.create({ email: 'a@example.com', ...params })
  const method = await sdk.paymentMethods.attach(card, { customer: customer.id })
  await sdk.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } })
  return customer.id
}

const subscribe = (customer: string, more: Partial<Stripe.SubscriptionCreateParams> = {}) =>
  sdk.subscriptions.create({ customer, items: [{ price: pro.id }], ...more })
const linesOf = async (invoice: string) =>
  (await sdk.invoices.retrieve(invoice)).lines.data.map(({ amount, quantity, parent }) => ({
    amount,
    quantity,
    proration: parent?.subscription_item_details?.proration,
  }))
const invoicesOf = async (customer: string) => (await sdk.invoices.list({ customer })).data
const typesSince = async (count: number) =>
  (await sdk.events.list({ limit: 100 })).data.slice(0, -count || undefined).map(({ type }) => type)
const refused = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable('it was not refused'),
    (error: Stripe.errors.StripeError) => ({
      status: error.statusCode,
      code: error.code,
      message: error.message,
    }),
  )

describe('stripe test server: subscriptions', () => {
  test('the first month is paid at once, and the next one after its hours as a draft', async () => {
    const customer = await customerWith('pm_card_visa')
    const before = (await sdk.events.list({ limit: 100 })).data.length
    const subscription = await subscribe(customer)
    expect(subscription).toMatchObject({ status: 'active', billing_mode: { type: 'flexible' } })
    const types = await typesSince(before)
    for (const type of ['customer.subscription.created', 'invoice.paid', 'charge.succeeded'])
      expect(types).toContain(type)
    expect((await invoicesOf(customer)).map(({ status, total }) => [status, total])).toEqual([['paid', 900]])
    // The 31st of January is followed by the 28th of February, and that by the 31st of March.
    const end = subscription.items.data[0]?.current_period_end ?? 0
    expect(new Date(end * 1_000).toISOString()).toBe('2026-02-28T10:37:00.000Z')
    clock.advance(28 * day)
    const [draft] = await invoicesOf(customer)
    expect(draft).toMatchObject({ status: 'draft', billing_reason: 'subscription_cycle', total: 900 })
    clock.advance(day)
    expect((await invoicesOf(customer))[0]).toMatchObject({ status: 'paid' })
    const renewed = await sdk.subscriptions.retrieve(subscription.id)
    expect(new Date((renewed.items.data[0]?.current_period_end ?? 0) * 1_000).toISOString()).toBe(
      '2026-03-31T10:37:00.000Z',
    )
  })

  test('an upgrade gives back the rest of the old and takes the rest of the new, by the second', async () => {
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer)
    const item = subscription.items.data[0]
    clock.advance(14 * day)
    const change = {
      items: [{ id: item?.id ?? '', price: team.id }],
      proration_behavior: 'always_invoice',
      proration_date: Math.floor(clock.now() / 1_000),
    } satisfies Stripe.SubscriptionUpdateParams
    const preview = await sdk.invoices.createPreview({
      subscription: subscription.id,
      subscription_details: change,
    })
    const changed = await sdk.subscriptions.update(subscription.id, {
      ...change,
      payment_behavior: 'pending_if_incomplete',
    })
    expect(changed.items.data.map(({ price }) => price.id)).toEqual([team.id])
    expect(changed.pending_update).toBeNull()
    expect(await linesOf(String(changed.latest_invoice))).toEqual([
      { amount: -450, quantity: 1, proration: true },
      { amount: 1_950, quantity: 1, proration: true },
    ])
    expect(preview).toMatchObject({ total: 1_500, billing_reason: 'upcoming' })
  })

  test('a change that must be paid first waits for its payment, and is forgotten after 23 hours', async () => {
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer)
    const failing = await sdk.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
    await sdk.customers.update(customer, { invoice_settings: { default_payment_method: failing.id } })
    const upgrade = () =>
      sdk.subscriptions.update(subscription.id, {
        items: [{ id: subscription.items.data[0]?.id ?? '', price: team.id }],
        proration_behavior: 'always_invoice',
        payment_behavior: 'pending_if_incomplete',
      })
    clock.advance(day)
    const waiting = await upgrade()
    expect(waiting).toMatchObject({
      status: 'active',
      pending_update: { subscription_items: [{ price: { id: team.id } }] },
    })
    expect(waiting.items.data[0]?.price.id).toBe(pro.id)
    clock.advance(day)
    const [invoice] = await invoicesOf(customer)
    expect(invoice).toMatchObject({ status: 'void' })
    expect((await sdk.subscriptions.retrieve(subscription.id)).pending_update).toBeNull()

    await upgrade()
    const good = await sdk.paymentMethods.attach('pm_card_visa', { customer })
    const [open] = await invoicesOf(customer)
    await sdk.invoices.pay(open?.id ?? '', { payment_method: good.id })
    expect((await sdk.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(team.id)
  })

  test('a trial costs nothing, is announced, and ends with a paid month or without a card', async () => {
    const trial = {
      trial_period_days: 14,
      trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
    } as const
    const customer = await customerWith('pm_card_visa')
    const bare = (await sdk.customers.create()).id
    expect(await subscribe(customer, trial)).toMatchObject({ status: 'trialing' })
    expect(await subscribe(bare, trial)).toMatchObject({ status: 'trialing' })
    clock.advance(12 * day)
    const told = (await sdk.events.list({ type: 'customer.subscription.trial_will_end' })).data
    expect(told).toHaveLength(2)
    clock.advance(3 * day)
    expect((await invoicesOf(customer)).map(({ status, total }) => [status, total])).toEqual([
      ['paid', 900],
      ['paid', 0],
    ])
    expect((await sdk.subscriptions.list({ customer: bare, status: 'all' })).data).toMatchObject([
      { status: 'canceled' },
    ])
  })

  test('a failing card: past due, four more tries, then the end', async () => {
    const customer = await customerWith('pm_card_visa')
    const { id } = await subscribe(customer)
    const failing = await sdk.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
    await sdk.customers.update(customer, { invoice_settings: { default_payment_method: failing.id } })
    clock.advance(29 * day)
    expect(await sdk.subscriptions.retrieve(id)).toMatchObject({ status: 'past_due' })
    const [open] = await invoicesOf(customer)
    expect(open).toMatchObject({ status: 'open', attempt_count: 1 })
    expect(open?.next_payment_attempt).toBeGreaterThan(clock.now() / 1_000)
    clock.advance(15 * day)
    expect(await sdk.subscriptions.retrieve(id)).toMatchObject({
      status: 'canceled',
      cancellation_details: { reason: 'payment_failed' },
    })
    expect((await invoicesOf(customer))[0]).toMatchObject({
      status: 'open',
      attempt_count: 5,
      next_payment_attempt: null,
    })
  })

  test('a past due one becomes active by a payment', async () => {
    const customer = await customerWith('pm_card_visa')
    const { id } = await subscribe(customer)
    const failing = await sdk.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
    await sdk.customers.update(customer, { invoice_settings: { default_payment_method: failing.id } })
    clock.advance(30 * day)
    const [open] = await invoicesOf(customer)
    expect(await refused(sdk.invoices.pay(open?.id ?? ''))).toMatchObject({
      status: 402,
      code: 'card_declined',
    })
    const good = await sdk.paymentMethods.attach('pm_card_visa', { customer })
    await sdk.invoices.pay(open?.id ?? '', { payment_method: good.id })
    expect(await sdk.subscriptions.retrieve(id)).toMatchObject({ status: 'active' })
  })

  test('a card that is refused at once leaves no subscription behind', async () => {
    const customer = await customerWith('pm_card_chargeCustomerFail')
    const call = subscribe(customer, { payment_behavior: 'error_if_incomplete' })
    expect(await refused(call)).toMatchObject({ status: 402, code: 'card_declined' })
    expect((await sdk.subscriptions.list({ customer, status: 'all' })).data).toEqual([])
    const incomplete = await subscribe(customer)
    expect(incomplete.status).toBe('incomplete')
    clock.advance(day)
    expect((await sdk.subscriptions.retrieve(incomplete.id)).status).toBe('incomplete_expired')
  })

  test('a schedule changes the plan at the end of the period, without prorations, and lets go', async () => {
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer, { items: [{ price: team.id }] })
    const schedule = await sdk.subscriptionSchedules.create({ from_subscription: subscription.id })
    const [first] = schedule.phases
    await sdk.subscriptionSchedules.update(schedule.id, {
      end_behavior: 'release',
      phases: [
        { items: [{ price: team.id }], start_date: first?.start_date ?? 0, end_date: first?.end_date ?? 0 },
        { items: [{ price: pro.id }], duration: { interval: 'month' } },
      ],
    })
    const cancel = sdk.subscriptions.update(subscription.id, { cancel_at_period_end: true })
    expect(await refused(cancel)).toMatchObject({ status: 400 })
    clock.advance(29 * day)
    expect((await invoicesOf(customer)).map(({ total }) => total)).toEqual([900, 3_900])
    clock.advance(31 * day)
    const after = await sdk.subscriptions.retrieve(subscription.id)
    expect(after).toMatchObject({ schedule: null, status: 'active' })
    expect(await sdk.subscriptionSchedules.retrieve(schedule.id)).toMatchObject({ status: 'released' })
  })

  test('the end at the end of the period, and the end now with what is left given back', async () => {
    const customer = await customerWith('pm_card_visa')
    const one = await subscribe(customer)
    await sdk.subscriptions.update(one.id, { cancel_at_period_end: true })
    const two = await subscribe(customer)
    clock.advance(14 * day)
    await sdk.subscriptions.cancel(two.id, { prorate: true, invoice_now: true })
    const { balance } = (await sdk.customers.retrieve(customer)) as Stripe.Customer
    expect(balance).toBe(-450)
    clock.advance(15 * day)
    expect(await sdk.subscriptions.retrieve(one.id)).toMatchObject({ status: 'canceled' })
    expect(await invoicesOf(customer)).toHaveLength(3)
  })

  test('one customer has one currency while subscribed', async () => {
    const customer = await customerWith('pm_card_visa')
    await subscribe(customer)
    const euro = await priceOf('Pro', 850, { currency: 'eur' })
    const call = subscribe(customer, { items: [{ price: euro.id }] })
    expect((await refused(call)).message).toMatch('cannot combine currencies')
  })
})

describe('stripe test server: meters', () => {
  const start = async () => {
    const meter = await sdk.billing.meters.create({
      display_name: 'Transfer',
      event_name: 'pt_transfer_mb_v1',
      default_aggregation: { formula: 'sum' },
      event_time_window: 'hour',
    })
    const product = await sdk.products.create({ name: 'Transfer' })
    const price = await sdk.prices.create({
      currency: 'usd',
      product: product.id,
      unit_amount_decimal: Stripe.Decimal.from('0.012'),
      recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    })
    return { meter, price }
  }
  const report = (customer: string, hour: number, value: number, rev = 0) =>
    sdk.billing.meterEvents.create({
      event_name: 'pt_transfer_mb_v1',
      payload: { stripe_customer_id: customer, value: String(value) },
      identifier: `${customer}.${hour}.${rev}`,
      timestamp: hour,
    })

  test('the last value of an hour counts, until the invoice is final', async () => {
    const { meter, price } = await start()
    const customer = await customerWith('pm_card_visa')
    await subscribe(customer, { items: [{ price: pro.id }, { price: price.id }] })
    const hour = Math.floor(clock.now() / 3_600_000) * 3_600 + 3_600
    clock.advance(2 * day)
    await report(customer, hour, 90_000)
    await report(customer, hour, 50_000, 1)
    await report(customer, hour + 3_600, 10_000)
    expect(await refused(report(customer, hour, 1, 1))).toMatchObject({ status: 400 })
    const { data } = await sdk.billing.meters.listEventSummaries(meter.id, {
      customer,
      start_time: hour,
      end_time: hour + 7_200,
      value_grouping_window: 'hour',
    })
    expect(data.map(({ aggregated_value: value }) => value)).toEqual([10_000, 50_000])
    clock.advance(26 * day + 3_600_000)
    await report(customer, hour, 60_000, 2)
    const [draft] = await invoicesOf(customer)
    expect(draft?.status).toBe('draft')
    expect(draft?.lines.data.map(({ amount, quantity }) => [quantity, amount])).toEqual([
      [70_000, 840],
      [1, 900],
    ])
    clock.advance(day)
    await sdk.invoices.list()
    await report(customer, hour, 99_000, 3)
    expect((await invoicesOf(customer))[0]).toMatchObject({ status: 'paid', total: 1_740 })
  })

  test('month to year begins a new period, gives back the rest, and bills what was used', async () => {
    const { price } = await start()
    const year = await priceOf('Year', 9_000, { recurring: { interval: 'year' } })
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer, { items: [{ price: pro.id }, { price: price.id }] })
    const [plan, transfer] = subscription.items.data
    clock.advance(14 * day)
    await report(customer, Math.floor(clock.now() / 3_600_000) * 3_600 - 3_600, 50_000)
    const changed = await sdk.subscriptions.update(subscription.id, {
      items: [
        { id: plan?.id ?? '', price: year.id },
        { id: transfer?.id ?? '', deleted: true },
      ],
      proration_behavior: 'always_invoice',
    })
    const lines = await linesOf(String(changed.latest_invoice))
    expect(lines.map(({ amount }) => amount)).toEqual([-450, 600, 9_000])
    expect(new Date((changed.items.data[0]?.current_period_end ?? 0) * 1_000).toISOString()).toBe(
      '2027-02-14T10:37:00.000Z',
    )
    expect(changed.items.data).toHaveLength(1)
  })

  test('another interval in a trial begins with the end of the trial', async () => {
    const year = await priceOf('Year', 9_000, { recurring: { interval: 'year' } })
    const customer = await customerWith('pm_card_visa')
    const { id, items } = await subscribe(customer, { trial_period_days: 14 })
    await sdk.subscriptions.update(id, {
      items: [{ id: items.data[0]?.id ?? '', price: year.id }],
      proration_behavior: 'none',
    })
    clock.advance(13 * day)
    expect((await invoicesOf(customer)).map(({ total }) => total)).toEqual([0])
    clock.advance(2 * day)
    expect((await invoicesOf(customer)).map(({ total }) => total)).toEqual([9_000, 0])
  })

  test('what is wrong with an event is reported later, as a thin event that the SDK reads', async () => {
    const { meter } = await start()
    const made = await sdk.v2.core.eventDestinations.create({
      name: 'meters',
      type: 'webhook_endpoint',
      event_payload: 'thin',
      enabled_events: ['v1.billing.meter.error_report_triggered'],
      webhook_endpoint: { url: 'https://tunnel.example.com/thin' },
      include: ['webhook_endpoint.signing_secret'],
    })
    await report('cus_none', Math.floor(clock.now() / 1_000), 1)
    expect(stripe.undelivered()).toBe(0)
    clock.advance(600_000)
    stripe.catchUp()
    const [delivery] = stripe.world.deliveries
    expect(delivery?.target).toBe(made.id)
    const event = await sdk.v2.core.events.retrieve(delivery?.event.id ?? '')
    expect(event).toMatchObject({
      type: 'v1.billing.meter.error_report_triggered',
      related_object: { id: meter.id },
      data: { reason: { error_types: [{ code: 'meter_event_customer_not_found', error_count: 1 }] } },
    })
  })

  test.each([
    ['too old', -36 * day],
    ['ahead', 6 * 60_000],
  ])('an event that is %s is refused', async (_name, shift) => {
    await start()
    const customer = await customerWith('pm_card_visa')
    expect(await refused(report(customer, Math.floor((clock.now() + shift) / 1_000), 1))).toMatchObject({
      status: 400,
    })
  })
})

describe('stripe test server: money back', () => {
  test('a credit note refunds a part, and not more than was paid', async () => {
    const customer = await customerWith('pm_card_visa')
    const { latest_invoice: invoice } = await subscribe(customer)
    const note = await sdk.creditNotes.create({ invoice: String(invoice), amount: 300, refund_amount: 300 })
    expect(note).toMatchObject({
      status: 'issued',
      type: 'post_payment',
      refunds: [{ amount_refunded: 300 }],
    })
    const [charge] = (await sdk.charges.list({ customer })).data
    expect(charge).toMatchObject({ amount_refunded: 300, refunded: false })
    const more = sdk.creditNotes.create({ invoice: String(invoice), amount: 601, refund_amount: 601 })
    expect(await refused(more)).toMatchObject({ status: 400 })
    await sdk.refunds.create({ charge: charge?.id ?? '', amount: 600 })
    expect(await refused(sdk.refunds.create({ charge: charge?.id ?? '' }))).toMatchObject({
      code: 'charge_already_refunded',
    })
  })

  test('a dispute takes the money, forbids refunds, and is won or lost', async () => {
    const customer = await customerWith('pm_card_createDispute')
    await subscribe(customer)
    const [dispute] = (await sdk.disputes.list()).data
    expect(dispute).toMatchObject({ status: 'needs_response', amount: 900, reason: 'fraudulent' })
    expect(await refused(sdk.refunds.create({ charge: String(dispute?.charge) }))).toMatchObject({
      code: 'charge_disputed',
    })
    const lost = await sdk.disputes.update(dispute?.id ?? '', {
      evidence: { uncategorized_text: 'losing_evidence' },
    })
    expect(lost.status).toBe('lost')
    expect((await sdk.events.list({ type: 'charge.dispute.closed' })).data).toHaveLength(1)
  })

  test('credit pays the next invoice first, and too little waits for the one after', async () => {
    const customer = await customerWith('pm_card_visa')
    await sdk.customers.createBalanceTransaction(customer, { amount: -880, currency: 'usd' })
    await subscribe(customer)
    const [invoice] = await invoicesOf(customer)
    expect(invoice).toMatchObject({ status: 'paid', total: 900, amount_due: 0, ending_balance: 20 })
    expect(((await sdk.customers.retrieve(customer)) as Stripe.Customer).balance).toBe(20)
  })
})

describe('stripe test server: tax', () => {
  test.each([
    ['DE', undefined, 171, 'standard_rated'],
    ['FR', 'FR12345678901', 0, 'reverse_charge'],
    ['US', undefined, 0, 'not_collecting'],
  ])('a customer in %s with the tax id %s pays %i', async (country, taxId, tax, reason) => {
    const customer = await customerWith('pm_card_visa', { address: { country } })
    if (taxId) await sdk.customers.createTaxId(customer, { type: 'eu_vat', value: taxId })
    await subscribe(customer, { automatic_tax: { enabled: true } })
    const [invoice] = await invoicesOf(customer)
    expect(invoice).toMatchObject({
      subtotal: 900,
      total: 900 + tax,
      total_taxes: [{ taxability_reason: reason }],
    })
  })

  test('without a place there is no tax, and no subscription', async () => {
    const customer = await customerWith('pm_card_visa')
    const call = subscribe(customer, { automatic_tax: { enabled: true } })
    expect(await refused(call)).toMatchObject({ code: 'customer_tax_location_invalid' })
  })
})

describe('stripe test server: pages', () => {
  const open = async (more: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    sdk.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://tunnel.example.com/done?session={CHECKOUT_SESSION_ID}',
      line_items: [{ price: pro.id, quantity: 1 }],
      ...more,
    })
  const pay = (url: string | null, form: Record<string, string>) =>
    fetch(url ?? '', {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ email: 'a@example.com', name: 'A', country: 'DE', ...form }),
    })

  test('somebody pays, comes back, and has a subscription', async () => {
    const session = await open({
      client_reference_id: 'acc_1',
      subscription_data: { metadata: { account: 'acc_1' } },
    })
    expect(await (await fetch(session.url ?? '')).text()).toContain('9.00 USD')
    const answer = await pay(session.url, { number: '4242 4242 4242 4242' })
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      `https://tunnel.example.com/done?session=${session.id}`,
    ])
    const done = await sdk.checkout.sessions.retrieve(session.id, { expand: ['subscription', 'line_items'] })
    expect(done).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      subscription: { status: 'active', metadata: { account: 'acc_1' } },
    })
    expect(done.line_items?.data).toMatchObject([{ amount_total: 900 }])
    expect((await pay(session.url, { number: '4242 4242 4242 4242' })).status).toBe(404)
  })

  test.each([
    ['4000 0000 0000 0002', 'Your card was declined.'],
    ['4000 0000 0000 9995', 'Your card has insufficient funds.'],
    ['1234', 'Your card number is invalid.'],
  ])('the card %s is refused with a reason, and the session stays open', async (number, reason) => {
    const session = await open()
    const answer = await pay(session.url, { number })
    expect(await answer.text()).toContain(reason)
    expect(await sdk.checkout.sessions.retrieve(session.id)).toMatchObject({
      status: 'open',
      subscription: null,
    })
    expect((await sdk.customers.list()).data).toEqual([])
  })

  test('a bank that asks gets an answer, and the next month passes without a person', async () => {
    const session = await open()
    const asked = await pay(session.url, { number: '4000 0025 0000 3155' })
    expect(await asked.text()).toContain('Complete authentication')
    await pay(session.url, { number: '4000 0025 0000 3155', bank: 'confirm' })
    const { subscription } = await sdk.checkout.sessions.retrieve(session.id)
    clock.advance(30 * day)
    expect(await sdk.subscriptions.retrieve(String(subscription))).toMatchObject({ status: 'active' })
  })

  test('a session ends after its time, and mixed intervals are refused', async () => {
    const { id } = await open({ expires_at: Math.floor(clock.now() / 1_000) + 1_800 })
    clock.advance(1_800_000)
    expect(await sdk.checkout.sessions.retrieve(id)).toMatchObject({ status: 'expired', url: null })
    const yearly = await priceOf('Year', 9_000, { recurring: { interval: 'year' } })
    const mixed = open({
      line_items: [
        { price: pro.id, quantity: 1 },
        { price: yearly.id, quantity: 1 },
      ],
    })
    expect((await refused(mixed)).message).toMatch('different billing intervals')
  })

  test('the portal changes the card, and shows the invoices', async () => {
    const customer = await customerWith('pm_card_visa')
    await subscribe(customer)
    expect(await refused(sdk.billingPortal.sessions.create({ customer }))).toMatchObject({ status: 400 })
    const { id: configuration } = await sdk.billingPortal.configurations.create({
      features: { payment_method_update: { enabled: true }, invoice_history: { enabled: true } },
    })
    const { url } = await sdk.billingPortal.sessions.create({ customer, configuration })
    expect(await (await fetch(url)).text()).toContain('9.00 USD')
    const body = new URLSearchParams({ number: '5555 5555 5555 4444' })
    expect(await (await fetch(url, { method: 'POST', body })).text()).toContain('4444')
  })
})

describe('stripe test server: strictness', () => {
  test('an invoice waits for its webhook to be taken, and at most for three days', async () => {
    const { id } = await sdk.webhookEndpoints.create({
      url: 'https://tunnel.example.com/webhooks/stripe',
      enabled_events: ['invoice.created'],
    })
    const customer = await customerWith('pm_card_visa')
    await subscribe(customer)
    clock.advance(29 * day)
    expect((await invoicesOf(customer))[0]).toMatchObject({ status: 'draft' })
    clock.advance(3 * day)
    expect((await invoicesOf(customer))[0]).toMatchObject({ status: 'paid' })
    expect(stripe.undelivered()).toBe(2)
    await sdk.webhookEndpoints.del(id)
    expect(stripe.undelivered()).toBe(0)
  })

  test('a wrong tax id on the page leaves nothing behind', async () => {
    const { url } = await sdk.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://tunnel.example.com/done',
      line_items: [{ price: pro.id, quantity: 1 }],
      tax_id_collection: { enabled: true },
    })
    const form = { email: 'a@example.com', name: 'A', country: 'DE', number: '4242424242424242', tax_id: 'x' }
    const answer = await fetch(url ?? '', { method: 'POST', body: new URLSearchParams(form) })
    expect(await answer.text()).toContain('Invalid value for eu_vat.')
    expect((await sdk.customers.list()).data).toEqual([])
  })

  test('what it does not have, it refuses by name', async () => {
    const customer = await customerWith('pm_card_visa')
    const call = sdk.checkout.sessions.create({
      mode: 'setup',
      customer,
      success_url: 'https://tunnel.example.com/done',
      line_items: [{ price: pro.id, quantity: 1 }],
    })
    expect(await refused(call)).toMatchObject({ status: 400, code: 'test_server_lacks' })
  })

  test('a subscription has at most 20 new invoices a day', async () => {
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer)
    const item = subscription.items.data[0]?.id ?? ''
    const flip = (to: Stripe.Price) =>
      sdk.subscriptions.update(subscription.id, {
        items: [{ id: item, price: to.id }],
        proration_behavior: 'always_invoice',
      })
    for (let count = 1; count < 20; count++) await flip(count % 2 ? team : pro)
    expect(await refused(flip(pro))).toMatchObject({ status: 429, code: 'rate_limit' })
    clock.advance(day)
    await flip(pro)
  })

  test('metadata finds a customer, but not within the first minute', async () => {
    await sdk.customers.create({ metadata: { account: 'acc_1' } })
    const search = async () =>
      (await sdk.customers.search({ query: "metadata['account']:'acc_1'" })).data.length
    expect(await search()).toBe(0)
    clock.advance(60_000)
    expect(await search()).toBe(1)
  })

  test('a schedule whose last phase has no end lasts a period', async () => {
    const customer = await customerWith('pm_card_visa')
    const subscription = await subscribe(customer, { items: [{ price: team.id }] })
    const schedule = await sdk.subscriptionSchedules.create({ from_subscription: subscription.id })
    const [first] = schedule.phases
    const { phases } = await sdk.subscriptionSchedules.update(schedule.id, {
      phases: [
        { items: [{ price: team.id }], start_date: first?.start_date ?? 0, end_date: first?.end_date ?? 0 },
        { items: [{ price: pro.id }] },
      ],
    })
    expect(new Date((phases[1]?.end_date ?? 0) * 1_000).toISOString()).toBe('2026-03-28T10:37:00.000Z')
    await sdk.subscriptionSchedules.release(schedule.id)
    expect(await sdk.subscriptions.retrieve(subscription.id)).toMatchObject({ schedule: null })
  })
})

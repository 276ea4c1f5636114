/** Stripe as the payment service of both shells (docs/decisions/0090). Loaded with the first call, not at the start. */

import type Stripe from 'stripe'
import type { Payments } from '../control/money/payments.ts'
import { isTransferKey } from '../control/money/price-keys.ts'
import { ask, openStripe, type StripeOptions, toSeconds } from './stripe-calls.ts'
import { changedSince } from './stripe-changed.ts'
import { cancelLater, changeLater, changeNow, keep, preview, priceIds } from './stripe-changes.ts'
import { holdDrafts, idOf, listInvoices, readCustomer } from './stripe-customers.ts'
import { listLines, readUsage } from './stripe-figures.ts'
import {
  findObjects,
  makeDestination,
  makeMeter,
  makePortal,
  makePrice,
  makeWebhook,
  portalId,
} from './stripe-objects.ts'

/** All that one customer's bounds allow in two days. */
const sessionsMax = 20

export function openStripePayments(options: StripeOptions): Payments {
  const stripe = openStripe(options)
  return {
    kind: 'stripe',
    makeCustomer: (account, email) => ask(() => makeCustomer(stripe, account, email)),
    readCustomer: (customer) => ask(() => readCustomer(stripe, customer)),
    changedSince: (sinceMs) => ask(() => changedSince(stripe, sinceMs)),
    openCheckout: (asked) => ask(() => openCheckout(stripe, asked)),
    openPortal: (customer, returnUrl) => ask(() => openPortal(stripe, customer, returnUrl)),
    preview: (customer, change) => ask(() => preview(stripe, customer, change)),
    changeNow: (change, key) => ask(() => changeNow(stripe, change, key)),
    changeLater: (change, key) => ask(() => changeLater(stripe, change, key)),
    cancelLater: (subscription, key) => ask(() => cancelLater(stripe, subscription, key)),
    keep: (subscription, key) => ask(() => keep(stripe, subscription, key)),
    endNow: (subscription, only) => ask(() => endNow(stripe, subscription, only)),
    endCustomer: (customer) => ask(() => endCustomer(stripe, customer)),
    listLines: (customer, since) => ask(() => listLines(stripe, customer, since)),
    readUsage: (asked) => ask(() => readUsage(stripe, asked)),
    holdDrafts: (customer, untilMs) => ask(() => holdDrafts(stripe, customer, untilMs)),
    listInvoices: (customer) => ask(() => listInvoices(stripe, customer)),
    customerOf: (charge) => ask(async () => idOf((await stripe.charges.retrieve(charge)).customer)),
    report: (asked) => ask(() => report(stripe, asked)),
    findObjects: () => ask(() => findObjects(stripe)),
    makeMeter: (meter) => ask(() => makeMeter(stripe, meter)),
    makePrice: (price) => ask(() => makePrice(stripe, price)),
    makePortal: () => ask(() => makePortal(stripe)),
    makeWebhook: (url) => ask(() => makeWebhook(stripe, url)),
    makeDestination: (url) => ask(() => makeDestination(stripe, url)),
  }
}

/** One for each account, however often it is asked for within Stripe's 24 h of a key. */
async function makeCustomer(stripe: Stripe, account: string, email: string): Promise<string> {
  const made = await stripe.customers.create(
    { email, metadata: { account } },
    { idempotencyKey: `customer:${account}` },
  )
  return made.id
}

type Checkout = Parameters<Payments['openCheckout']>[0]

/** @returns the open page for the same choice, or how many there were of it; pages for other choices are closed */
async function onePage(
  stripe: Stripe,
  { customer, key }: Pick<Checkout, 'customer' | 'key'>,
): Promise<{ readonly url: string | undefined; readonly before: number }> {
  const { data } = await stripe.checkout.sessions.list({ customer, limit: sessionsMax })
  const same = data.filter(({ metadata }) => metadata?.key === key)
  const present = same.find(({ status }) => status === 'open')
  for (const { id, status } of data)
    if (status === 'open' && id !== present?.id) await stripe.checkout.sessions.expire(id)
  return { url: present?.url ?? undefined, before: same.length }
}

async function openCheckout(
  stripe: Stripe,
  { customer, items, currency, trialDays, returnUrl, key, expiresAt }: Checkout,
): Promise<{ readonly url: string }> {
  const { url, before } = await onePage(stripe, { customer, key })
  if (url !== undefined) return { url }
  const ids = await priceIds(stripe, items)
  const session = await stripe.checkout.sessions.create(
    {
      mode: 'subscription',
      customer,
      currency,
      metadata: { key },
      expires_at: toSeconds(expiresAt),
      line_items: items.map(({ price, quantity }) => ({
        price: ids.get(price) ?? '',
        ...(!isTransferKey(price) && { quantity }),
      })),
      subscription_data: {
        billing_mode: { type: 'flexible' },
        ...(trialDays > 0 && { trial_period_days: trialDays }),
      },
      automatic_tax: { enabled: true },
      tax_id_collection: { enabled: true },
      customer_update: { address: 'auto', name: 'auto' },
      success_url: `${returnUrl}?paid=yes`,
      cancel_url: `${returnUrl}?paid=no`,
    },
    { idempotencyKey: `${key}:${before}` },
  )
  return { url: session.url ?? '' }
}

async function openPortal(
  stripe: Stripe,
  customer: string,
  returnUrl: string,
): Promise<{ readonly url: string }> {
  const configuration = await portalId(stripe)
  const { url } = await stripe.billingPortal.sessions.create({
    customer,
    return_url: returnUrl,
    ...(configuration !== undefined && { configuration }),
  })
  return { url }
}

async function endNow(stripe: Stripe, subscription: string, only: 'trial' | 'any'): Promise<void> {
  const { status } = await stripe.subscriptions.retrieve(subscription)
  const isOver = status === 'canceled' || status === 'incomplete_expired'
  if (only === 'any' ? !isOver : status === 'trialing') await stripe.subscriptions.cancel(subscription)
}

/** Ends what is paid for, charges what was used, and then the customer is deleted; its invoices stay. */
async function endCustomer(stripe: Stripe, customer: string): Promise<void> {
  const found = await stripe.customers.retrieve(customer)
  if (found.deleted) return
  const { data } = await stripe.subscriptions.list({ customer, limit: 20 })
  for (const one of data) await endAndSettle(stripe, one)
  await stripe.customers.del(customer)
}

/** A deleted customer's invoices are collected no more, so the last one is paid before. A refused one is forgiven. */
async function endAndSettle(
  stripe: Stripe,
  { id, latest_invoice: before }: Stripe.Subscription,
): Promise<void> {
  const { latest_invoice: last } = await stripe.subscriptions.cancel(id, { invoice_now: true })
  if (!last || idOf(last) === idOf(before)) return
  let { status } = await stripe.invoices.retrieve(idOf(last))
  if (status === 'draft') status = (await stripe.invoices.finalizeInvoice(idOf(last))).status
  if (status !== 'open') return
  await stripe.invoices.pay(idOf(last)).catch((error: unknown) => {
    if (!(error instanceof Error && 'type' in error && error.type === 'StripeCardError')) throw error
  })
}

async function report(
  stripe: Stripe,
  { meter, customer, hour, megabytes, key }: Parameters<Payments['report']>[0],
): Promise<void> {
  try {
    await stripe.billing.meterEvents.create({
      event_name: meter,
      identifier: key,
      timestamp: toSeconds(hour),
      payload: { stripe_customer_id: customer, value: `${megabytes}` },
    })
  } catch (error) {
    // It arrived before: that is what was asked for.
    if (error instanceof Error && /already exists/.test(error.message)) return
    throw error
  }
}

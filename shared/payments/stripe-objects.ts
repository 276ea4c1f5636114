/**
 * What `ptunctl billing sync` finds and makes at Stripe: a product for each plan, prices with lookup keys, the meter,
 * the portal and the webhook endpoints. It makes what is missing and never changes or deletes what is there.
 */

import Stripe from 'stripe'
import { snapshotEvents, thinEvents } from '../control/money/event-types.ts'
import type { FoundObjects, FoundPrice, WantedPrice } from '../control/money/payments.ts'

const ours = { porttunneler: 'yes' }
/** A catalogue has some tens of prices; versions add up. */
const pricesMax = 1_000

export async function findObjects(stripe: Stripe): Promise<FoundObjects> {
  const prices = await stripe.prices.list({ limit: 100 }).autoPagingToArray({ limit: pricesMax })
  const products = await stripe.products.list({ limit: 100 }).autoPagingToArray({ limit: pricesMax })
  const meters = await stripe.billing.meters.list({ status: 'active', limit: 100 })
  const webhooks = await stripe.webhookEndpoints.list({ limit: 100 })
  const portals = await stripe.billingPortal.configurations.list({ active: true, limit: 100 })
  return {
    prices: prices.flatMap(foundPrice),
    products: products.map(({ id }) => id),
    meters: meters.data.map(({ event_name: name }) => name),
    webhooks: webhooks.data.filter(({ status }) => status === 'enabled').map(({ url }) => url),
    destinations: await destinationUrls(stripe),
    hasPortal: portals.data.some(({ metadata }) => metadata?.porttunneler === 'yes'),
  }
}

function foundPrice(price: Stripe.Price): readonly FoundPrice[] {
  const { id, lookup_key: key, currency, unit_amount_decimal: amount, recurring, active } = price
  if (!key?.startsWith('pt:')) return []
  return [
    {
      id,
      key,
      currency,
      amount: amount?.toString() ?? '',
      interval: recurring?.interval ?? '',
      taxBehavior: price.tax_behavior ?? '',
      isMetered: recurring?.usage_type === 'metered',
      isActive: active,
    },
  ]
}

export async function makeMeter(stripe: Stripe, meter: string): Promise<void> {
  await stripe.billing.meters.create(
    {
      display_name: 'Transfer (MB)',
      event_name: meter,
      default_aggregation: { formula: 'sum' },
      event_time_window: 'hour',
      customer_mapping: { type: 'by_id', event_payload_key: 'stripe_customer_id' },
      value_settings: { event_payload_key: 'value' },
    },
    { idempotencyKey: `meter:${meter}` },
  )
}

export async function makePrice(stripe: Stripe, wanted: WantedPrice): Promise<void> {
  const { key, currency, amount, interval, taxBehavior, meter } = wanted
  const product = await productFor(stripe, wanted)
  const usage = meter === undefined ? undefined : await meterId(stripe, meter)
  await stripe.prices.create(
    {
      product,
      currency,
      lookup_key: key,
      tax_behavior: taxBehavior,
      unit_amount_decimal: Stripe.Decimal.from(amount),
      recurring: { interval, ...(usage && { usage_type: 'metered', meter: usage }) },
      metadata: ours,
    },
    { idempotencyKey: `price:${key}:${amount}:${taxBehavior}` },
  )
}

async function productFor(stripe: Stripe, { product, title }: WantedPrice): Promise<string> {
  try {
    return (await stripe.products.create({ id: product, name: title, metadata: ours })).id
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_already_exists')
      return product
    throw error
  }
}

async function meterId(stripe: Stripe, name: string): Promise<string> {
  const { data } = await stripe.billing.meters.list({ status: 'active', limit: 100 })
  return data.find(({ event_name: event }) => event === name)?.id ?? ''
}

/** Cards, addresses, tax ids and invoices; plans are changed by us alone (money.md, rule 9). */
export async function makePortal(stripe: Stripe): Promise<void> {
  await stripe.billingPortal.configurations.create({
    features: {
      customer_update: { enabled: true, allowed_updates: ['address', 'name', 'tax_id'] },
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: { enabled: false },
      subscription_update: { enabled: false },
    },
    metadata: ours,
  })
}

export async function portalId(stripe: Stripe): Promise<string | undefined> {
  const { data } = await stripe.billingPortal.configurations.list({ active: true, limit: 100 })
  return data.find(({ metadata }) => metadata?.porttunneler === 'yes')?.id
}

/** The SDK's types say whether Stripe has them. */
const events: readonly Stripe.WebhookEndpointCreateParams.EnabledEvent[] = snapshotEvents

export async function makeWebhook(stripe: Stripe, url: string): Promise<string> {
  const made = await stripe.webhookEndpoints.create({
    url,
    enabled_events: [...events],
    api_version: Stripe.API_VERSION as Stripe.WebhookEndpointCreateParams.ApiVersion,
    metadata: ours,
  })
  return made.secret ?? ''
}

export async function makeDestination(stripe: Stripe, url: string): Promise<string> {
  const made = await stripe.v2.core.eventDestinations.create({
    name: 'PortTunneler: refused reports of transfer',
    type: 'webhook_endpoint',
    event_payload: 'thin',
    enabled_events: [...thinEvents],
    include: ['webhook_endpoint.signing_secret'],
    webhook_endpoint: { url },
    metadata: ours,
  })
  return made.webhook_endpoint?.signing_secret ?? ''
}

/** Addresses of the thin events that are sent. */
async function destinationUrls(stripe: Stripe): Promise<readonly string[]> {
  const { data } = await stripe.v2.core.eventDestinations.list({
    include: ['webhook_endpoint.url'],
    limit: 100,
  })
  return data.flatMap(({ status, event_payload: payload, webhook_endpoint: endpoint }) =>
    status === 'enabled' && payload === 'thin' ? (endpoint?.url ?? []) : [],
  )
}

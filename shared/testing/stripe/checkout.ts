/** Checkout sessions, in the mode that sells a subscription. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { findCustomer } from './customers.ts'
import { amountOf, isMetered, nameOf } from './invoice-object.ts'
import { isWithin, page, whole } from './pages.ts'
import { createdRange, currency, flag, int, metadata, none, paging, params, text, url } from './params.ts'
import { invalid, notBuilt } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { expire } from './session-time.ts'
import { checkItems } from './subscription-object.ts'
import { mergedMetadata, type World } from './world.ts'

const createParams = params<Stripe.Checkout.SessionCreateParams>()({
  mode: z.enum(['payment', 'setup', 'subscription']),
  success_url: url,
  cancel_url: url.optional(),
  currency: currency.optional(),
  customer: text.optional(),
  customer_email: z.email().optional(),
  client_reference_id: text.max(200).optional(),
  customer_update: z
    .strictObject({
      address: z.enum(['auto', 'never']).optional(),
      name: z.enum(['auto', 'never']).optional(),
    })
    .optional(),
  automatic_tax: z.strictObject({ enabled: flag }).optional(),
  billing_address_collection: z.enum(['auto', 'required']).optional(),
  expires_at: int.optional(),
  line_items: z
    .array(params<Stripe.Checkout.SessionCreateParams.LineItem>()({ price: text, quantity: int.optional() }))
    .min(1)
    .max(20),
  locale: z.string().max(10).optional(),
  metadata: metadata.optional(),
  payment_method_collection: z.literal('always').optional(),
  subscription_data: params<Stripe.Checkout.SessionCreateParams.SubscriptionData>()({
    billing_mode: z.strictObject({ type: z.literal('flexible') }).optional(),
    description: text.max(500).optional(),
    metadata: metadata.optional(),
    trial_end: int.optional(),
    trial_period_days: int.optional(),
    trial_settings: z
      .strictObject({
        end_behavior: z.strictObject({
          missing_payment_method: z.enum(['cancel', 'create_invoice', 'pause']),
        }),
      })
      .optional(),
  }).optional(),
  tax_id_collection: z.strictObject({ enabled: flag }).optional(),
  ui_mode: z.literal('hosted_page').optional(),
})
type Asked = z.output<typeof createParams>

const listParams = params<Stripe.Checkout.SessionListParams & Stripe.PaginationParams>()({
  ...paging,
  created: createdRange.optional(),
  customer: text.optional(),
  status: z.enum(['complete', 'expired', 'open']).optional(),
  subscription: text.optional(),
})
const minutes = 60
const soonest = 30 * minutes
const latest = 24 * 3_600

/** What the page needs, and no answer has. */
export type Order = {
  readonly items: readonly { readonly price: Stripe.Price; readonly quantity: number | undefined }[]
  readonly data: NonNullable<Asked['subscription_data']>
  readonly updates: NonNullable<Asked['customer_update']>
}
const orders = new WeakMap<Stripe.Checkout.Session, Order>()

export function orderOf(session: Stripe.Checkout.Session): Order {
  return orders.get(session) ?? { items: [], data: {}, updates: {} }
}

export const checkoutRoutes: readonly Route[] = [
  route('POST /v1/checkout/sessions', createParams, create),
  route('GET /v1/checkout/sessions', listParams, (world, asked) => {
    const found = world
      .all('sessions')
      .filter(
        (one) =>
          (asked.customer === undefined || one.customer === asked.customer) &&
          (asked.status === undefined || one.status === asked.status) &&
          (asked.subscription === undefined || one.subscription === asked.subscription) &&
          isWithin(one.created, asked.created),
      )
    return page(found, asked, '/v1/checkout/sessions')
  }),
  route('GET /v1/checkout/sessions/:id', none, (world, _, id = '') => find(world, id)),
  route('GET /v1/checkout/sessions/:id/line_items', z.strictObject(paging), (world, asked, id = '') =>
    page([...lineItems(world, find(world, id))].reverse(), asked, `/v1/checkout/sessions/${id}/line_items`),
  ),
  route('POST /v1/checkout/sessions/:id/expire', none, (world, _, id = '') => {
    const session = find(world, id)
    if (session.status !== 'open')
      throw invalid(
        `Only Checkout Sessions with a status in ["open"] can be expired. This one is ${session.status ?? ''}.`,
      )
    expire(world, session)
    return session
  }),
]

function find(world: World, id: string): Stripe.Checkout.Session {
  return world.find('sessions', id, 'checkout.session')
}

function create(world: World, asked: Asked): Stripe.Checkout.Session {
  if (asked.mode !== 'subscription') throw notBuilt(`Checkout in mode ${asked.mode}`)
  const customer = asked.customer === undefined ? undefined : findCustomer(world, asked.customer, 'customer')
  checkCustomer(asked, customer)
  return world.onClock(customer?.test_clock, () => {
    const expires = asked.expires_at ?? Math.floor(world.clock.now() / 1_000) + latest
    const now = Math.floor(world.clock.now() / 1_000)
    if (expires < now + soonest || expires > now + latest)
      throw invalid('The expires_at timestamp must be between 30 minutes and 24 hours from now.', {
        param: 'expires_at',
      })
    const items = orderedItems(world, asked, customer)
    const session = sessionOf(world, asked, { expires, items })
    orders.set(session, { items, data: asked.subscription_data ?? {}, updates: asked.customer_update ?? {} })
    return world.keep('sessions', session)
  })
}

/** @throws Refusal for parameters that do not go together */
function checkCustomer(asked: Asked, customer: Stripe.Customer | undefined): void {
  if (customer && asked.customer_email !== undefined)
    throw invalid('You may only specify one of these parameters: customer, customer_email.')
  if (!customer && asked.customer_update)
    throw invalid('`customer_update` can only be used with `customer`.', { param: 'customer_update' })
  if (customer && asked.tax_id_collection?.enabled && asked.customer_update?.name !== 'auto')
    throw invalid(
      'Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.',
    )
  if (
    customer &&
    asked.automatic_tax?.enabled &&
    !customer.address?.country &&
    asked.customer_update?.address !== 'auto'
  )
    throw invalid(
      'Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set `customer_update[address]` to `auto` to save the address entered in Checkout to the Customer.',
      { code: 'customer_tax_location_invalid' },
    )
}

function orderedItems(world: World, asked: Asked, customer: Stripe.Customer | undefined): Order['items'] {
  const items = asked.line_items.map(({ price: id, quantity }, index) => {
    const param = `line_items[${index}][price]`
    const price = world.find('prices', id, 'price', param)
    if (!price.recurring) throw notBuilt('prices of one time in Checkout')
    if (!isMetered({ price }) && quantity === undefined)
      throw invalid('Quantity is required. Add `quantity` to `line_items`.', {
        param: `line_items[${index}][quantity]`,
      })
    if (asked.currency !== undefined && asked.currency !== price.currency)
      throw invalid(`The price has no amount in ${asked.currency}.`, { param: 'currency' })
    if (asked.automatic_tax?.enabled && price.tax_behavior === 'unspecified')
      throw invalid('The price needs a tax_behavior for automatic tax', { param })
    return { price, quantity }
  })
  if (new Set(items.map(({ price }) => price.recurring?.interval)).size > 1)
    throw invalid('Checkout does not support multiple prices with different billing intervals.', {
      param: 'line_items',
    })
  // Somebody new can have no other currency yet.
  checkItems(world, customer ?? ({ id: '' } as Stripe.Customer), items)
  return items
}

type Made = { readonly expires: number; readonly items: Order['items'] }

/** Fields of Checkout that we ask nothing of. */
const unusedOfSession = {
  adaptive_pricing: null,
  after_expiration: null,
  allow_promotion_codes: null,
  allowed_payment_method_types: null,
  client_secret: null,
  collected_information: null,
  consent: null,
  consent_collection: null,
  currency_conversion: null,
  customer_account: null,
  customer_details: null,
  integration_identifier: null,
  invoice: null,
  invoice_creation: null,
  managed_payments: null,
  origin_context: null,
  payment_intent: null,
  payment_link: null,
  payment_method_configuration_details: null,
  payment_method_options: null,
  permissions: null,
  recovered_from: null,
  saved_payment_method_options: null,
  setup_intent: null,
  shipping_address_collection: null,
  shipping_cost: null,
  submit_type: null,
  subscription: null,
  wallet_options: null,
} as const satisfies Partial<Stripe.Checkout.Session>

function sessionOf(world: World, asked: Asked, { expires, items }: Made): Stripe.Checkout.Session {
  const id = world.id('cs_test', 58)
  const isTaxed = asked.automatic_tax?.enabled ?? false
  const isTrial =
    asked.subscription_data?.trial_period_days !== undefined ||
    asked.subscription_data?.trial_end !== undefined
  const amount = isTrial ? 0 : sumOf(world, items)
  return {
    ...unusedOfSession,
    id,
    object: 'checkout.session',
    amount_subtotal: amount,
    amount_total: amount,
    automatic_tax: {
      enabled: isTaxed,
      liability: isTaxed ? { type: 'self' } : null,
      provider: isTaxed ? 'stripe' : null,
      status: isTaxed ? 'requires_location_inputs' : null,
    },
    billing_address_collection: asked.billing_address_collection ?? null,
    cancel_url: asked.cancel_url ?? null,
    client_reference_id: asked.client_reference_id ?? null,
    created: Math.floor(world.clock.now() / 1_000),
    currency: items[0]?.price.currency ?? null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: asked.customer ?? null,
    customer_creation: asked.customer === undefined ? 'always' : null,
    customer_email: asked.customer_email ?? null,
    discounts: [],
    expires_at: expires,
    livemode: false,
    locale: asked.locale ?? null,
    metadata: mergedMetadata(null, asked.metadata),
    mode: 'subscription',
    payment_method_collection: asked.payment_method_collection ?? 'always',
    payment_method_types: ['card'],
    payment_status: 'unpaid',
    shipping_options: [],
    status: 'open',
    success_url: asked.success_url,
    tax_id_collection: { enabled: asked.tax_id_collection?.enabled ?? false, required: 'never' },
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: `${world.origin}/c/pay/${id}`,
  }
}

function sumOf(world: World, items: Order['items']): number {
  return items
    .filter((item) => !isMetered(item))
    .reduce((sum, { price, quantity }) => sum + amountOf(world, price, quantity ?? 1), 0)
}

function lineItems(world: World, session: Stripe.Checkout.Session): Stripe.LineItem[] {
  return orderOf(session).items.map(({ price, quantity }, index) => {
    const amount = isMetered({ price }) ? 0 : amountOf(world, price, quantity ?? 1)
    return {
      id: `li_${session.id.slice(-12)}${index}`,
      object: 'item',
      adjustable_quantity: null,
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: price.currency,
      description: nameOf(world, price),
      metadata: {},
      price,
      quantity: quantity ?? null,
    }
  })
}

export function includeInSessions(world: World): void {
  world.includes('checkout.session.line_items', ({ id }) =>
    whole(lineItems(world, find(world, String(id))), `/v1/checkout/sessions/${String(id)}/line_items`),
  )
}

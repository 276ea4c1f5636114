/** Cards of customers. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { type Card, cardNamed, fingerprintOf } from './cards.ts'
import { findCustomer } from './customers.ts'
import { page } from './pages.ts'
import { none, paging, params, text } from './params.ts'
import { invalid, noSuch, Refusal } from './refusal.ts'
import { type Route, route } from './routes.ts'
import type { World } from './world.ts'

const attachParams = params<Stripe.PaymentMethodAttachParams>()({ customer: text })
const listParams = params<Stripe.PaymentMethodListParams & Stripe.PaginationParams>()({
  ...paging,
  customer: text,
  type: z.literal('card').optional(),
})

export const paymentMethodRoutes: readonly Route[] = [
  route('POST /v1/payment_methods/:id/attach', attachParams, (world, asked, id = '') => {
    const customer = findCustomer(world, asked.customer, 'customer')
    const card = cardNamed(id)
    if (card) return world.onClock(customer.test_clock, () => attachCard(world, customer, card))
    const method = world.find('paymentMethods', id, 'PaymentMethod')
    if (method.customer === customer.id) return method
    throw invalid('The payment method you provided has already been attached to a customer.')
  }),
  route('POST /v1/payment_methods/:id/detach', none, (world, _, id = '') => {
    const method = world.find('paymentMethods', id, 'PaymentMethod')
    if (method.customer === null)
      throw invalid('The payment method you provided is not attached to a customer.')
    detach(world, method)
    return method
  }),
  route('GET /v1/payment_methods', listParams, (world, asked) => {
    findCustomer(world, asked.customer, 'customer')
    return page(cardsOf(world, asked.customer), asked, '/v1/payment_methods')
  }),
  route('GET /v1/payment_methods/:id', none, (world, _, id = '') =>
    world.find('paymentMethods', id, 'PaymentMethod'),
  ),
  route('GET /v1/customers/:id/payment_methods', z.strictObject(paging), (world, asked, id = '') => {
    findCustomer(world, id)
    return page(cardsOf(world, id), asked, `/v1/customers/${id}/payment_methods`)
  }),
]

/** @throws Refusal 402 for a card that is declined at once */
export function attachCard(world: World, customer: Stripe.Customer, card: Card): Stripe.PaymentMethod {
  if (card.attach) throw declined(card.attach)
  const method: Stripe.PaymentMethod = {
    id: world.id('pm', 24),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: {
      address: customer.address ?? null,
      email: customer.email,
      name: customer.name ?? null,
      phone: null,
      tax_id: null,
    },
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: card.country,
      display_brand: card.brand,
      exp_month: 12,
      exp_year: new Date(world.now() * 1_000).getUTCFullYear() + 8,
      fingerprint: fingerprintOf(card, world.settings.cardsAre === 'own' ? customer.id : ''),
      funding: 'credit',
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: world.now(),
    customer: customer.id,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  }
  world.keep('paymentMethods', method)
  world.cards.set(method.id, card)
  world.emit('payment_method.attached', method)
  return method
}

function detach(world: World, method: Stripe.PaymentMethod): void {
  const customer = world.tables.customers.get(String(method.customer))
  if (customer?.invoice_settings.default_payment_method === method.id)
    world.change('customer.updated', customer, () => {
      customer.invoice_settings.default_payment_method = null
    })
  for (const subscription of world.all('subscriptions'))
    if (subscription.default_payment_method === method.id) subscription.default_payment_method = null
  method.customer = null
  world.emit('payment_method.detached', method)
}

function cardsOf(world: World, customer: string): Stripe.PaymentMethod[] {
  return world.all('paymentMethods').filter((method) => method.customer === customer)
}

/** What pays: the subscription's card, else the customer's. @throws Refusal when an id is not the customer's own */
export function cardFor(
  world: World,
  customer: Stripe.Customer,
  asked?: string | Stripe.PaymentMethod | null,
): { readonly id: string; readonly card: Card } | undefined {
  const id = String(asked ?? customer.invoice_settings.default_payment_method ?? '')
  if (id === '') return undefined
  const card = world.cards.get(id)
  if (!card || world.tables.paymentMethods.get(id)?.customer !== customer.id)
    throw noSuch('PaymentMethod', id, 'default_payment_method')
  return { id, card }
}

export function declined({ code, decline, message }: NonNullable<Card['attach']>): Refusal {
  return new Refusal(402, { type: 'card_error', code, decline_code: decline, message })
}

/** Taking money: a payment intent for each invoice, and a charge for each try. */
import type { Stripe } from 'stripe'
import type { Card, Decline } from './cards.ts'
import { disputeAfter } from './disputes.ts'
import type { World } from './world.ts'

export type Asked = {
  readonly customer: Stripe.Customer
  readonly amount: number
  readonly currency: string
  readonly method: { readonly id: string; readonly card: Card }
  readonly invoice: Stripe.Invoice
  /** A person is there, and confirms what the bank asks. */
  readonly isPresent: boolean
}
export type Outcome = 'paid' | 'declined' | 'asks'

/** Whether this card would pay now, without doing it. */
export function wouldPay(
  card: Card,
  { isPresent, isFirst }: { isPresent: boolean; isFirst: boolean },
): Outcome {
  if (card.attach ?? card.charge) return 'declined'
  if (isPresent || card.asks === undefined) return 'paid'
  return card.asks === 'once' && !isFirst ? 'paid' : 'asks'
}

/** Cards which a person has confirmed once need nobody later. */
export function take(world: World, asked: Asked): Outcome {
  const { method, isPresent } = asked
  const isFirst = !world.confirmed.has(method.id)
  const outcome = wouldPay(method.card, { isPresent, isFirst })
  const intent = intentFor(world, asked)
  if (isPresent && outcome === 'paid') world.confirmed.add(method.id)
  if (outcome === 'asks') {
    intent.status = 'requires_action'
    intent.next_action = { type: 'use_stripe_sdk', use_stripe_sdk: {} }
    world.emit('payment_intent.requires_action', intent)
    return outcome
  }
  const decline = method.card.attach ?? method.card.charge
  const charge = chargeOf(world, { asked, intent, decline })
  intent.latest_charge = charge.id
  if (decline) {
    intent.status = 'requires_payment_method'
    intent.last_payment_error = {
      charge: charge.id,
      code: decline.code,
      decline_code: decline.decline,
      message: decline.message,
      type: 'card_error',
    }
    world.emit('charge.failed', charge)
    world.emit('payment_intent.payment_failed', intent)
    return outcome
  }
  intent.status = 'succeeded'
  intent.amount_received = asked.amount
  intent.next_action = null
  world.emit('charge.succeeded', charge)
  world.emit('payment_intent.succeeded', intent)
  recordPayment(world, { asked, intent })
  disputeAfter(world, charge, method.card)
  return outcome
}

/** The intent of an invoice stays the same over all tries. */
function intentFor(
  world: World,
  { customer, amount, currency, method, invoice }: Asked,
): Stripe.PaymentIntent {
  const before = world.intents.get(invoice.id)
  const kept = before === undefined ? undefined : world.tables.paymentIntents.get(before)
  if (kept) {
    kept.payment_method = method.id
    kept.last_payment_error = null
    return kept
  }
  const id = world.id('pi', 24)
  const intent: Stripe.PaymentIntent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: `${id}_secret_${world.id('s').slice(2)}`,
    confirmation_method: 'automatic',
    created: world.now(),
    currency,
    customer: customer.id,
    customer_account: null,
    description: `Payment for Invoice`,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: {},
    next_action: null,
    on_behalf_of: null,
    payment_method: method.id,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: 'off_session',
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_confirmation',
    transfer_group: null,
  }
  world.intents.set(invoice.id, id)
  world.keep('paymentIntents', intent)
  world.emit('payment_intent.created', intent)
  return intent
}

type Charging = {
  readonly asked: Asked
  readonly intent: Stripe.PaymentIntent
  readonly decline?: Decline | undefined
}

function chargeOf(world: World, { asked, intent, decline }: Charging): Stripe.Charge {
  const { customer, amount, currency, method } = asked
  const details = world.tables.paymentMethods.get(method.id)
  const charge: Stripe.Charge = {
    id: world.id('ch', 24),
    object: 'charge',
    amount,
    amount_captured: decline ? 0 : amount,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: decline ? null : world.id('txn', 24),
    billing_details: details?.billing_details ?? {
      address: null,
      email: null,
      name: null,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'TUNNELS',
    captured: !decline,
    created: world.now(),
    currency,
    customer: customer.id,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: decline ? 'declined_by_network' : 'approved_by_network',
      reason: decline?.decline ?? null,
      risk_level: 'normal',
      seller_message: decline ? 'The bank did not return any further details.' : 'Payment complete.',
      type: decline ? 'issuer_declined' : 'authorized',
    },
    paid: !decline,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: cardDetails(method.card, amount),
    receipt_email: null,
    receipt_number: null,
    receipt_url: decline ? null : `${world.origin}/receipts/${intent.id}`,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: decline ? 'failed' : 'succeeded',
    transfer_data: null,
    transfer_group: null,
  }
  return world.keep('charges', charge)
}

function cardDetails({ brand, country, number }: Card, amount: number): Stripe.Charge.PaymentMethodDetails {
  return {
    card: {
      amount_authorized: amount,
      authorization_code: null,
      brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country,
      electronic_commerce_indicator: null,
      exp_month: 12,
      exp_year: 2034,
      funding: 'credit',
      installments: null,
      last4: number.slice(-4),
      mandate: null,
      network: brand,
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
    type: 'card',
  }
}

function recordPayment(
  world: World,
  { asked, intent }: { asked: Asked; intent: Stripe.PaymentIntent },
): void {
  const payment: Stripe.InvoicePayment = {
    id: world.id('inpay', 24),
    object: 'invoice_payment',
    amount_paid: asked.amount,
    amount_requested: asked.amount,
    created: world.now(),
    currency: asked.currency,
    invoice: asked.invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: intent.id, type: 'payment_intent' },
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: world.now() },
  }
  world.keep('invoicePayments', payment)
  world.emit('invoice_payment.paid', payment)
}

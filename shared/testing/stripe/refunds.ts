/** Money back: refunds of charges, and credit notes of invoices. Also charges and intents, which are only read. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { findCustomer, moveBalance } from './customers.ts'
import { isWithin, page, whole } from './pages.ts'
import { anyMetadata, createdRange, int, metadata, none, paging, params, text } from './params.ts'
import { invalid, notBuilt } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const reason = z.enum(['duplicate', 'fraudulent', 'requested_by_customer'])
const refundParams = params<Stripe.RefundCreateParams>()({
  amount: int.optional(),
  charge: text.optional(),
  metadata: anyMetadata.optional(),
  payment_intent: text.optional(),
  reason: reason.optional(),
})
const refundList = params<Stripe.RefundListParams & Stripe.PaginationParams>()({
  ...paging,
  charge: text.optional(),
  created: createdRange.optional(),
  payment_intent: text.optional(),
})
const noteParams = params<Stripe.CreditNoteCreateParams>()({
  invoice: text,
  amount: int.optional(),
  credit_amount: int.optional(),
  memo: text.optional(),
  metadata: metadata.optional(),
  out_of_band_amount: int.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory']).optional(),
  refund_amount: int.optional(),
})
const noteList = params<Stripe.CreditNoteListParams & Stripe.PaginationParams>()({
  ...paging,
  customer: text.optional(),
  invoice: text.optional(),
})
const chargeList = params<Stripe.ChargeListParams & Stripe.PaginationParams>()({
  ...paging,
  created: createdRange.optional(),
  customer: text.optional(),
  payment_intent: text.optional(),
})

export const refundRoutes: readonly Route[] = [
  route('POST /v1/refunds', refundParams, (world, asked) => {
    if ((asked.charge === undefined) === (asked.payment_intent === undefined))
      throw invalid(
        'One of the following params should be provided for this request: payment_intent or charge.',
      )
    const charge =
      asked.charge === undefined
        ? chargeOf(world, asked.payment_intent ?? '')
        : world.find('charges', asked.charge, 'charge', 'charge')
    return onClockOf(world, charge.customer, () => {
      const amount = asked.amount ?? charge.amount - charge.amount_refunded
      return refund(world, charge, {
        amount,
        reason: asked.reason ?? null,
        metadata: mergedMetadata(null, asked.metadata),
      })
    })
  }),
  route('GET /v1/refunds', refundList, (world, asked) => {
    const found = world
      .all('refunds')
      .filter(
        (one) =>
          (asked.charge === undefined || one.charge === asked.charge) &&
          (asked.payment_intent === undefined || one.payment_intent === asked.payment_intent) &&
          isWithin(one.created, asked.created),
      )
    return page(found, asked, '/v1/refunds')
  }),
  route('GET /v1/refunds/:id', none, (world, _, id = '') => world.find('refunds', id, 'refund')),
  route('POST /v1/credit_notes', noteParams, (world, asked) => {
    const invoice = world.find('invoices', asked.invoice, 'invoice', 'invoice')
    return onClockOf(world, invoice.customer, () => note(world, invoice, asked))
  }),
  route('GET /v1/credit_notes', noteList, (world, asked) => {
    const found = world
      .all('creditNotes')
      .filter(
        (one) =>
          (asked.customer === undefined || one.customer === asked.customer) &&
          (asked.invoice === undefined || one.invoice === asked.invoice),
      )
    return page(found, asked, '/v1/credit_notes')
  }),
  route('GET /v1/credit_notes/:id', none, (world, _, id = '') =>
    world.find('creditNotes', id, 'credit note'),
  ),
  route('GET /v1/charges', chargeList, (world, asked) => {
    const found = world
      .all('charges')
      .filter(
        (one) =>
          (asked.customer === undefined || one.customer === asked.customer) &&
          (asked.payment_intent === undefined || one.payment_intent === asked.payment_intent) &&
          isWithin(one.created, asked.created),
      )
    return page(found, asked, '/v1/charges')
  }),
  route('GET /v1/charges/:id', none, (world, _, id = '') => world.find('charges', id, 'charge')),
  route('GET /v1/payment_intents/:id', none, (world, _, id = '') =>
    world.find('paymentIntents', id, 'payment_intent'),
  ),
]

function onClockOf<T>(world: World, customer: Stripe.Charge['customer'], act: () => T): T {
  return world.onClock(world.tables.customers.get(idOf(customer ?? ''))?.test_clock, act)
}

function chargeOf(world: World, intent: string): Stripe.Charge {
  const { latest_charge: charge } = world.find('paymentIntents', intent, 'payment_intent', 'payment_intent')
  return world.find('charges', idOf(charge ?? ''), 'charge', 'payment_intent')
}

type Refunded = {
  readonly amount: number
  readonly reason: Stripe.Refund['reason']
  readonly metadata: Stripe.Metadata
}

function refund(
  world: World,
  charge: Stripe.Charge,
  { amount, reason: why, metadata: own }: Refunded,
): Stripe.Refund {
  const left = charge.amount - charge.amount_refunded
  if (!charge.paid) throw invalid('This charge cannot be refunded: it was not paid.', { param: 'charge' })
  const lost = world.all('disputes').find((one) => one.charge === charge.id && !one.is_charge_refundable)
  if (lost)
    throw invalid(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    })
  if (left === 0)
    throw invalid(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' })
  if (amount < 1 || amount > left)
    throw invalid(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, {
      param: 'amount',
    })
  const made: Stripe.Refund = {
    id: world.id('re', 24),
    object: 'refund',
    amount,
    balance_transaction: world.id('txn', 24),
    charge: charge.id,
    created: world.now(),
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    metadata: own,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: why,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  }
  world.keep('refunds', made)
  world.emit('refund.created', made)
  world.change('charge.refunded', charge, () => {
    charge.amount_refunded += amount
    charge.refunded = charge.amount_refunded === charge.amount
  })
  return made
}

/** An invoice that is paid: money or credit goes back. One that is open: less is to be paid. */
function note(world: World, invoice: Stripe.Invoice, asked: z.output<typeof noteParams>): Stripe.CreditNote {
  if (invoice.status !== 'open' && invoice.status !== 'paid')
    throw invalid('Credit notes can only be made for finalized invoices.', { param: 'invoice' })
  const {
    amount,
    refund_amount: back = 0,
    credit_amount: credit = 0,
    out_of_band_amount: outside = 0,
  } = asked
  if (amount === undefined) throw notBuilt('credit notes by lines: give an amount')
  const earlier = invoice.pre_payment_credit_notes_amount + invoice.post_payment_credit_notes_amount
  if (amount < 1 || amount > invoice.total - earlier)
    throw invalid(
      'The sum of credit amount, refund amount and out of band amount must be at most the amount of the invoice.',
      {
        param: 'amount',
      },
    )
  const isPaid = invoice.status === 'paid'
  if (isPaid && back + credit + outside !== amount)
    throw invalid(
      `The sum of credit amount, refund amount and out of band amount (${back + credit + outside}) must equal the credit note amount (${amount}).`,
    )
  if (!isPaid && back + credit + outside > 0)
    throw invalid('The invoice is not paid: nothing can be given back.')
  const intent = world.intents.get(invoice.id)
  if (back > 0 && intent === undefined)
    throw invalid('The invoice was not paid by a card: nothing can be refunded.')
  const refunded =
    back > 0
      ? refund(world, chargeOf(world, intent ?? ''), { amount: back, reason: null, metadata: {} })
      : undefined
  const made = noteOf(world, invoice, { asked, amount, refunded })
  world.keep('creditNotes', made)
  if (credit > 0) {
    const customer = findCustomer(world, idOf(invoice.customer ?? ''))
    const moved = moveBalance(world, customer, {
      amount: -credit,
      type: 'credit_note',
      creditNote: made.id,
      invoice: invoice.id,
    })
    made.customer_balance_transaction = moved.id
  }
  world.emit('credit_note.created', made)
  world.change('invoice.updated', invoice, () => {
    if (isPaid) invoice.post_payment_credit_notes_amount += amount
    else {
      invoice.pre_payment_credit_notes_amount += amount
      invoice.amount_due -= amount
      invoice.amount_remaining -= amount
    }
  })
  return made
}

type Noted = {
  readonly asked: z.output<typeof noteParams>
  readonly amount: number
  readonly refunded: Stripe.Refund | undefined
}

function noteOf(
  world: World,
  invoice: Stripe.Invoice,
  { asked, amount, refunded }: Noted,
): Stripe.CreditNote {
  const id = world.id('cn', 24)
  const count = world.all('creditNotes').filter((one) => one.invoice === invoice.id).length + 1
  const isPaid = invoice.status === 'paid'
  return {
    id,
    object: 'credit_note',
    amount,
    amount_shipping: 0,
    created: world.now(),
    currency: invoice.currency,
    customer: idOf(invoice.customer ?? ''),
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
    effective_at: world.now(),
    invoice: invoice.id,
    lines: whole([], `/v1/credit_notes/${id}/lines`),
    livemode: false,
    memo: asked.memo ?? null,
    metadata: mergedMetadata(null, asked.metadata),
    number: `${invoice.number ?? ''}-CN-${String(count).padStart(2, '0')}`,
    out_of_band_amount: asked.out_of_band_amount ?? null,
    pdf: `${world.origin}/i/${id}/pdf`,
    post_payment_amount: isPaid ? amount : 0,
    pre_payment_amount: isPaid ? 0 : amount,
    pretax_credit_amounts: [],
    reason: asked.reason ?? null,
    refunds: refunded
      ? [
          {
            amount_refunded: refunded.amount,
            payment_record_refund: null,
            refund: refunded.id,
            type: 'refund',
          },
        ]
      : [],
    shipping_cost: null,
    status: 'issued',
    subtotal: amount,
    subtotal_excluding_tax: amount,
    total: amount,
    total_excluding_tax: amount,
    total_taxes: [],
    type: isPaid ? 'post_payment' : 'pre_payment',
    voided_at: null,
  }
}

export function includeInCharges(world: World): void {
  world.includes('charge.refunds', ({ id }) =>
    whole(
      world.all('refunds').filter(({ charge }) => charge === id),
      `/v1/charges/${String(id)}/refunds`,
    ),
  )
}

/** Invoices over the API: reading, changing drafts, paying, voiding, and what the next one will be. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { findCustomer } from './customers.ts'
import { draftOf, intervalOf, isMetered, licensedLine, meteredLine } from './invoice-object.ts'
import { finalize, pay, refresh, voidInvoice } from './invoices.ts'
import { isWithin, page, whole } from './pages.ts'
import { anyMetadata, createdRange, flag, int, none, paging, params, text } from './params.ts'
import { periodFrom } from './periods.ts'
import { invalid, Refusal } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { planChange } from './subscription-changes.ts'
import { periodOf } from './subscription-object.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const listParams = params<Stripe.InvoiceListParams & Stripe.PaginationParams>()({
  ...paging,
  created: createdRange.optional(),
  customer: text.optional(),
  status: z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']).optional(),
  subscription: text.optional(),
})
const updateParams = params<Stripe.InvoiceUpdateParams>()({
  auto_advance: flag.optional(),
  automatically_finalizes_at: int.optional(),
  description: z.string().optional(),
  metadata: anyMetadata.optional(),
})
const payParams = params<Stripe.InvoicePayParams>()({
  off_session: flag.optional(),
  payment_method: text.optional(),
})
const finalizeParams = params<Stripe.InvoiceFinalizeInvoiceParams>()({ auto_advance: flag.optional() })
const previewItem = params<Stripe.InvoiceCreatePreviewParams.SubscriptionDetails.Item>()({
  id: text.optional(),
  price: text.optional(),
  quantity: int.optional(),
  deleted: flag.optional(),
  clear_usage: flag.optional(),
})
const previewParams = params<Stripe.InvoiceCreatePreviewParams>()({
  customer: text.optional(),
  subscription: text,
  subscription_details: params<Stripe.InvoiceCreatePreviewParams.SubscriptionDetails>()({
    items: z.array(previewItem).optional(),
    proration_behavior: z.enum(['always_invoice', 'create_prorations', 'none']).optional(),
    proration_date: int.optional(),
  }).optional(),
})
const paymentsParams = params<Stripe.InvoicePaymentListParams & Stripe.PaginationParams>()({
  ...paging,
  invoice: text.optional(),
  status: z.enum(['canceled', 'open', 'paid']).optional(),
  payment: z.strictObject({ type: z.literal('payment_intent'), payment_intent: text }).optional(),
})

export const invoiceRoutes: readonly Route[] = [
  route('GET /v1/invoices', listParams, (world, asked) => {
    const found = world
      .all('invoices')
      .filter(
        (one) =>
          (asked.customer === undefined || one.customer === asked.customer) &&
          (asked.status === undefined || one.status === asked.status) &&
          (asked.subscription === undefined ||
            one.parent?.subscription_details?.subscription === asked.subscription) &&
          isWithin(one.created, asked.created),
      )
    for (const one of found) refresh(world, one)
    return page(found, asked, '/v1/invoices')
  }),
  route('POST /v1/invoices/create_preview', previewParams, preview),
  route('GET /v1/invoices/:id', none, (world, _, id = '') => find(world, id)),
  route('GET /v1/invoices/:id/lines', z.strictObject(paging), (world, asked, id = '') => {
    // Lines are in the order of the invoice, unlike other lists.
    const { data } = find(world, id).lines
    return page([...data].reverse(), asked, `/v1/invoices/${id}/lines`)
  }),
  route('POST /v1/invoices/:id', updateParams, (world, asked, id = '') => {
    const invoice = find(world, id)
    const { automatically_finalizes_at: at } = asked
    const isDraft = invoice.status === 'draft'
    if (!isDraft && (at !== undefined || asked.description !== undefined))
      throw invalid('Finalized invoices cannot be updated in this way.')
    return world.onClock(invoice.test_clock, () => {
      if (at !== undefined && at < world.now())
        throw invalid('automatically_finalizes_at must be in the future', {
          param: 'automatically_finalizes_at',
        })
      world.change('invoice.updated', invoice, () => {
        invoice.auto_advance = asked.auto_advance ?? invoice.auto_advance ?? false
        if (at !== undefined) invoice.automatically_finalizes_at = at
        if (asked.description !== undefined) invoice.description = asked.description || null
        invoice.metadata = mergedMetadata(invoice.metadata, asked.metadata)
      })
      return invoice
    })
  }),
  route('POST /v1/invoices/:id/finalize', finalizeParams, (world, asked, id = '') => {
    const invoice = find(world, id)
    return world.onClock(invoice.test_clock, () => {
      finalize(world, invoice)
      invoice.auto_advance = asked.auto_advance ?? invoice.auto_advance ?? false
      return invoice
    })
  }),
  route('POST /v1/invoices/:id/pay', payParams, (world, asked, id = '') => {
    const invoice = find(world, id)
    return world.onClock(invoice.test_clock, () => {
      if (invoice.status === 'draft') finalize(world, invoice)
      const isPresent = asked.off_session === false
      if (pay(world, invoice, { isPresent, method: asked.payment_method })) return invoice
      const intent = world.tables.paymentIntents.get(world.intents.get(invoice.id) ?? '')
      const error = intent?.last_payment_error
      throw new Refusal(402, {
        type: 'card_error',
        code: error?.code ?? 'invoice_payment_intent_requires_action',
        message: error?.message ?? 'This payment requires additional user action before it can be completed.',
        ...(error?.decline_code !== undefined && { decline_code: error.decline_code }),
      })
    })
  }),
  route('POST /v1/invoices/:id/void', none, (world, _, id = '') => {
    const invoice = find(world, id)
    return world.onClock(invoice.test_clock, () => {
      voidInvoice(world, invoice)
      return invoice
    })
  }),
  route('POST /v1/invoices/:id/mark_uncollectible', none, (world, _, id = '') => {
    const invoice = find(world, id)
    if (invoice.status !== 'open') throw invalid("This invoice isn't open.")
    return world.onClock(invoice.test_clock, () => {
      invoice.status = 'uncollectible'
      invoice.next_payment_attempt = null
      invoice.status_transitions.marked_uncollectible_at = world.now()
      world.emit('invoice.marked_uncollectible', invoice)
      return invoice
    })
  }),
  route('GET /v1/invoice_payments', paymentsParams, (world, asked) => {
    const found = world
      .all('invoicePayments')
      .filter(
        ({ invoice, status, payment }) =>
          (asked.invoice === undefined || invoice === asked.invoice) &&
          (asked.status === undefined || status === asked.status) &&
          (asked.payment === undefined || payment.payment_intent === asked.payment.payment_intent),
      )
    return page(found, asked, '/v1/invoice_payments')
  }),
]

function find(world: World, id: string): Stripe.Invoice {
  const invoice = world.find('invoices', id, 'invoice')
  refresh(world, invoice)
  return invoice
}

/** The next invoice as it would be: of a change, or of the next renewal. */
function preview(world: World, asked: z.output<typeof previewParams>): Stripe.Invoice {
  const subscription = world.find('subscriptions', asked.subscription, 'subscription', 'subscription')
  if (asked.customer !== undefined && subscription.customer !== asked.customer)
    throw invalid('The subscription belongs to another customer', { param: 'customer' })
  if (subscription.status === 'canceled')
    throw new Refusal(404, {
      type: 'invalid_request_error',
      code: 'invoice_upcoming_none',
      message: 'No upcoming invoices',
    })
  findCustomer(world, idOf(subscription.customer))
  return world.onClock(subscription.test_clock, () => {
    const {
      items,
      proration_behavior: prorations = 'create_prorations',
      proration_date: date,
    } = asked.subscription_details ?? {}
    const change = {
      items: items ?? [],
      prorations,
      payment: 'allow_incomplete',
      prorationDate: date,
      resets: false,
    } as const
    const planned = planChange(world, subscription, change)
    const now = world.now()
    const waiting = world.pending.get(subscription.id) ?? []
    const isNow = planned.isReset || (items !== undefined && prorations === 'always_invoice')
    const over = periodOf(subscription)
    const next = periodFrom(planned.anchor, intervalOf(subscription), over.end)
    const renewal =
      isNow || subscription.cancel_at_period_end
        ? []
        : planned.items
            .filter((item) => !isMetered(item))
            .map((item) => licensedLine(world, item, next, false))
    const used = isNow
      ? []
      : planned.items
          .filter(isMetered)
          .map((item) => meteredLine(world, item, idOf(subscription.customer), over))
    const invoice = draftOf(world, subscription, {
      reason: 'upcoming',
      lines: [...waiting, ...planned.lines, ...used, ...renewal],
      period: isNow ? { start: now, end: now } : over,
    })
    invoice.id = `upcoming_${invoice.id}`
    if (date !== undefined && invoice.parent?.subscription_details)
      invoice.parent.subscription_details.subscription_proration_date = date
    return invoice
  })
}

export function includeInInvoices(world: World): void {
  world.includes('invoice.payments', ({ id }) =>
    whole(
      world.all('invoicePayments').filter(({ invoice }) => invoice === id),
      `/v1/invoice_payments?invoice=${String(id)}`,
    ),
  )
}

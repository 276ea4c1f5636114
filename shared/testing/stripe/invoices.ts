/** The life of an invoice: draft, open, and paid, void or uncollectible. */
import type { Stripe } from 'stripe'
import { findCustomer, moveBalance } from './customers.ts'
import { amountOf, draftOf, meteredLine, type Spec, sumUp } from './invoice-object.ts'
import { cardFor } from './payment-methods.ts'
import { take } from './payments.ts'
import { invalid } from './refusal.ts'
import { afterFailure, afterPayment } from './subscription-states.ts'
import { idOf, type World, wireDecimal } from './world.ts'

/** Stripe waits that long for `invoice.created` to be taken before it goes on. */
const webhooksWait = 72 * 3_600

/** Makes a draft that everybody can see, and takes the lines that waited with it. */
export function openDraft(world: World, subscription: Stripe.Subscription, spec: Spec): Stripe.Invoice {
  const waiting = world.pending.get(subscription.id) ?? []
  world.pending.delete(subscription.id)
  const invoice = draftOf(world, subscription, { ...spec, lines: [...waiting, ...spec.lines] })
  invoice.automatically_finalizes_at = world.now() + world.settings.finalizeAfter
  world.keep('invoices', invoice)
  world.unsettled.add(invoice)
  subscription.latest_invoice = invoice.id
  const customer = findCustomer(world, idOf(subscription.customer))
  customer.currency = subscription.currency
  world.emit('invoice.created', invoice)
  return invoice
}

/** @returns when this draft becomes final by itself; undefined = never */
export function finalizesAt(world: World, invoice: Stripe.Invoice): number | undefined {
  if (invoice.status !== 'draft' || !invoice.auto_advance || invoice.automatically_finalizes_at === null)
    return undefined
  const at = invoice.automatically_finalizes_at
  const isWaiting = world.deliveries.some(
    ({ event }) =>
      event.object === 'event' &&
      event.type === 'invoice.created' &&
      (event.data.object as { id?: string }).id === invoice.id,
  )
  return isWaiting ? Math.max(at, invoice.created + webhooksWait) : at
}

/** Usage that came since the draft was made counts until it is final. */
export function refresh(world: World, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'draft') return
  const subscription = subscriptionOf(world, invoice)
  for (const line of invoice.lines.data) {
    const price = world.find('prices', idOf(line.pricing?.price_details?.price ?? ''), 'price')
    const item = line.parent?.subscription_item_details?.subscription_item
    if (price.recurring?.usage_type !== 'metered' || item === undefined || !subscription) continue
    const used = meteredLine(
      world,
      { id: item, price, subscription: subscription.id } as Stripe.SubscriptionItem,
      idOf(subscription.customer),
      line.period,
    )
    line.quantity = used.quantity
    line.quantity_decimal = wireDecimal(String(used.quantity))
    line.amount = amountOf(world, price, used.quantity)
    line.subtotal = line.amount
    line.description = used.description
  }
  sumUp(world, invoice)
}

export function finalize(world: World, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'draft')
    throw invalid('This invoice is already finalized, you can not finalize it again.')
  refresh(world, invoice)
  const customer = findCustomer(world, idOf(invoice.customer ?? ''))
  customer.next_invoice_sequence = (customer.next_invoice_sequence ?? 1) + 1
  invoice.number = `${customer.invoice_prefix ?? ''}-${String(customer.next_invoice_sequence - 1).padStart(4, '0')}`
  invoice.status = 'open'
  invoice.effective_at = world.now()
  invoice.status_transitions.finalized_at = world.now()
  invoice.automatically_finalizes_at = null
  invoice.webhooks_delivered_at = world.now()
  invoice.hosted_invoice_url = `${world.origin}/i/${invoice.id}`
  invoice.invoice_pdf = `${world.origin}/i/${invoice.id}/pdf`
  settleBalance(world, invoice, customer)
  world.emit('invoice.finalized', invoice)
  if (invoice.amount_due === 0) markPaid(world, invoice)
}

/** Credit pays first, what is owed from earlier is added, and too little to be charged waits for the next invoice. */
function settleBalance(world: World, invoice: Stripe.Invoice, customer: Stripe.Customer): void {
  const { total, id } = invoice
  invoice.starting_balance = customer.balance
  const applied = total < 0 ? total : Math.max(customer.balance, -total)
  const due = total < 0 ? 0 : total + applied
  if (applied !== 0)
    moveBalance(world, customer, {
      amount: total < 0 ? total : -applied,
      type: 'applied_to_invoice',
      invoice: id,
    })
  const least = world.settings.chargeMin[invoice.currency] ?? 1
  if (due > 0 && due < least)
    moveBalance(world, customer, { amount: due, type: 'invoice_too_small', invoice: id })
  invoice.ending_balance = customer.balance
  invoice.amount_due = due < least ? 0 : due
  invoice.amount_remaining = invoice.amount_due
}

/**
 * Asks the card for the money.
 * @returns whether the invoice is paid now
 * @throws Refusal when it is not open
 */
export function pay(
  world: World,
  invoice: Stripe.Invoice,
  { isPresent = false, method }: { isPresent?: boolean; method?: string | undefined } = {},
): boolean {
  if (invoice.status === 'paid') throw invalid('Invoice is already paid', { code: 'invoice_already_paid' })
  if (invoice.status !== 'open') throw invalid(`This invoice is ${invoice.status ?? ''} and cannot be paid.`)
  const customer = findCustomer(world, idOf(invoice.customer ?? ''))
  const subscription = subscriptionOf(world, invoice)
  const card = cardFor(world, customer, method ?? subscription?.default_payment_method)
  const outcome =
    card === undefined
      ? 'declined'
      : take(world, {
          customer,
          amount: invoice.amount_remaining,
          currency: invoice.currency,
          method: card,
          invoice,
          isPresent,
        })
  invoice.attempted = true
  if (!isPresent || outcome === 'paid') invoice.attempt_count += 1
  if (outcome === 'paid') {
    markPaid(world, invoice)
    return true
  }
  planRetry(world, invoice)
  if (outcome === 'asks') world.emit('invoice.payment_action_required', invoice)
  world.emit('invoice.payment_failed', invoice)
  afterFailure(world, invoice)
  return false
}

/** Tries follow the first one by the account's plan. */
function planRetry(world: World, invoice: Stripe.Invoice): void {
  const first = invoice.status_transitions.finalized_at ?? world.now()
  const next = world.settings.retryAfter.map((wait) => first + wait).find((at) => at > world.now())
  const isRetried = invoice.auto_advance === true && invoice.billing_reason !== 'subscription_create'
  invoice.next_payment_attempt = isRetried ? (next ?? null) : null
}

function markPaid(world: World, invoice: Stripe.Invoice): void {
  invoice.status = 'paid'
  invoice.attempted = true
  invoice.amount_paid = invoice.amount_due
  invoice.amount_remaining = 0
  invoice.next_payment_attempt = null
  invoice.status_transitions.paid_at = world.now()
  world.emit('invoice.paid', invoice)
  world.emit('invoice.payment_succeeded', invoice)
  afterPayment(world, invoice)
}

export function voidInvoice(world: World, invoice: Stripe.Invoice): void {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
    throw invalid("You can only pass in open invoices. This invoice isn't open.")
  invoice.status = 'void'
  invoice.next_payment_attempt = null
  invoice.amount_remaining = 0
  invoice.status_transitions.voided_at = world.now()
  const given = (invoice.starting_balance ?? 0) - (invoice.ending_balance ?? 0)
  const customer = world.tables.customers.get(idOf(invoice.customer ?? ''))
  if (given !== 0 && customer)
    moveBalance(world, customer, { amount: given, type: 'unapplied_from_invoice', invoice: invoice.id })
  world.emit('invoice.voided', invoice)
  afterPayment(world, invoice)
}

function subscriptionOf(world: World, { parent }: Stripe.Invoice): Stripe.Subscription | undefined {
  const reference = parent?.subscription_details?.subscription
  return reference === undefined ? undefined : world.tables.subscriptions.get(idOf(reference))
}

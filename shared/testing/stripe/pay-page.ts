/** The page on which somebody pays: a plain form, which works without scripts, by hand and by a browser's driver. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { type Card, cardNumbered } from './cards.ts'
import { orderOf } from './checkout.ts'
import { addTaxId, checkTaxId, createCustomer, findCustomer } from './customers.ts'
import { escaped, field, htmlPage, money, type PageAnswer } from './html.ts'
import { amountOf, isMetered, nameOf } from './invoice-object.ts'
import { attachCard } from './payment-methods.ts'
import { Refusal } from './refusal.ts'
import { startSubscription } from './subscription-start.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const formSchema = z.object({
  email: z.email('Your email is incomplete.'),
  number: z.string().min(1, 'Your card number is incomplete.'),
  name: z.string().min(1, 'Your name is incomplete.'),
  country: z.string().regex(/^[A-Z]{2}$/, 'Your country is incomplete.'),
  tax_id: z.string().optional(),
  /** What the person tells the bank, when it asks. */
  bank: z.enum(['confirm', 'refuse']).optional(),
})
type PayForm = z.output<typeof formSchema>

export function showPayPage(
  world: World,
  id: string,
  problem?: string,
  typed: Partial<PayForm> = {},
): PageAnswer {
  const session = world.tables.sessions.get(id)
  if (session?.status !== 'open')
    return { status: 404, html: htmlPage('This page is no longer there', closedText(session)) }
  const { items, data } = orderOf(session)
  const customer = session.customer ? findCustomer(world, idOf(session.customer)) : undefined
  const days = data.trial_period_days
  const rows = items.map(
    ({ price, quantity = 1 }) =>
      `<tr><td>${escaped(nameOf(world, price))}</td><td>${
        isMetered({ price }) ? 'by use' : money(amountOf(world, price, quantity), price.currency)
      }</td></tr>`,
  )
  const email = typed.email ?? customer?.email ?? session.customer_email ?? ''
  return {
    status: problem === undefined ? 200 : 402,
    html: htmlPage(
      'Subscribe',
      `<table>${rows.join('')}</table>
${days ? `<p>${days} days free, then as above.</p>` : ''}
${problem === undefined ? '' : `<p role="alert">${escaped(problem)}</p>`}
<form method="post">
${field('email', 'Email', email)}
${field('number', 'Card number', typed.number ?? '')}
${field('name', 'Name', typed.name ?? customer?.name ?? '')}
${field('country', 'Country (two letters)', typed.country ?? customer?.address?.country ?? '')}
${session.tax_id_collection?.enabled ? field('tax_id', 'VAT number, for companies', typed.tax_id ?? '') : ''}
<button>${days ? 'Start trial' : 'Subscribe'}</button>
</form>
${session.cancel_url ? `<p><a href="${escaped(session.cancel_url)}">Back</a></p>` : ''}`,
    ),
  }
}

function closedText(session: Stripe.Checkout.Session | undefined): string {
  return session?.status === 'complete'
    ? '<p>You are all done here.</p>'
    : '<p>The checkout session has expired.</p>'
}

/** What happens on "Subscribe": money, a subscription, and the way back; or the page again, with the reason. */
export function submitPayPage(world: World, id: string, body: string): PageAnswer {
  const session = world.tables.sessions.get(id)
  if (session?.status !== 'open') return showPayPage(world, id)
  const typed = Object.fromEntries(new URLSearchParams(body))
  const read = formSchema.safeParse(typed)
  if (!read.success) return showPayPage(world, id, read.error.issues[0]?.message ?? 'Incomplete', typed)
  const card = cardNumbered(read.data.number)
  if (!card) return showPayPage(world, id, 'Your card number is invalid.', read.data)
  if (card.asks && read.data.bank === undefined) return askBank(read.data)
  if (read.data.bank === 'refuse')
    return showPayPage(world, id, 'We are unable to authenticate your payment method.', read.data)
  const problem = card.attach ?? card.charge
  if (problem) return showPayPage(world, id, problem.message, read.data)
  try {
    if (read.data.tax_id) checkTaxId('eu_vat', read.data.tax_id)
    complete(world, session, { form: read.data, card })
  } catch (error) {
    if (error instanceof Refusal) return showPayPage(world, id, error.message, read.data)
    throw error
  }
  return {
    status: 303,
    location: (session.success_url ?? '/').replaceAll('{CHECKOUT_SESSION_ID}', session.id),
  }
}

function askBank(form: PayForm): PageAnswer {
  const hidden = Object.entries(form)
    .map(([name, value = '']) => `<input type="hidden" name="${name}" value="${escaped(value)}">`)
    .join('')
  return {
    status: 200,
    html: htmlPage(
      'Your bank wants to know that it is you',
      `<form method="post">${hidden}
<button name="bank" value="confirm">Complete authentication</button>
<button name="bank" value="refuse">Fail authentication</button></form>`,
    ),
  }
}

function complete(
  world: World,
  session: Stripe.Checkout.Session,
  { form, card }: { readonly form: PayForm; readonly card: Card },
): void {
  const { items, data, updates } = orderOf(session)
  const known = session.customer ? findCustomer(world, idOf(session.customer)) : undefined
  world.onClock(known?.test_clock, () => {
    const address = {
      city: null,
      country: form.country,
      line1: null,
      line2: null,
      postal_code: null,
      state: null,
    }
    const customer =
      known ??
      createCustomer(world, { email: form.email, name: form.name, address: { country: form.country } })
    world.change('customer.updated', customer, () => {
      if (updates.address === 'auto') customer.address = address
      if (updates.name === 'auto') customer.name = form.name
    })
    if (form.tax_id) addTaxId(world, customer, { type: 'eu_vat', value: form.tax_id })
    const method = attachCard(world, customer, card)
    const days = data.trial_period_days
    const subscription = startSubscription(
      world,
      {
        customer,
        items,
        trialEnd: data.trial_end ?? (days ? world.now() + days * 86_400 : undefined),
        automaticTax: session.automatic_tax.enabled,
        metadata: mergedMetadata(null, data.metadata),
        method: method.id,
        description: data.description ?? null,
        missingMethod: data.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
        cancelAtPeriodEnd: false,
      },
      { behavior: 'error_if_incomplete', isPresent: true },
    )
    if (card.asks) world.confirmed.add(method.id)
    finish(world, session, { subscription, customer, form })
  })
}

type Finished = {
  readonly subscription: Stripe.Subscription
  readonly customer: Stripe.Customer
  readonly form: PayForm
}

function finish(
  world: World,
  session: Stripe.Checkout.Session,
  { subscription, customer, form }: Finished,
): void {
  const invoice = world.tables.invoices.get(idOf(subscription.latest_invoice ?? ''))
  session.status = 'complete'
  session.url = null
  session.customer = customer.id
  session.subscription = subscription.id
  session.invoice = invoice?.id ?? null
  session.payment_status = invoice && invoice.amount_paid > 0 ? 'paid' : 'no_payment_required'
  session.amount_subtotal = invoice?.subtotal ?? 0
  session.amount_total = invoice?.total ?? 0
  session.total_details = {
    amount_discount: 0,
    amount_shipping: 0,
    amount_tax: (invoice?.total_taxes ?? []).reduce((sum, { amount }) => sum + amount, 0),
  }
  if (session.automatic_tax.enabled) session.automatic_tax.status = 'complete'
  session.customer_details = {
    address: { city: null, country: form.country, line1: null, line2: null, postal_code: null, state: null },
    business_name: null,
    email: form.email,
    individual_name: null,
    name: form.name,
    phone: null,
    tax_exempt: 'none',
    tax_ids: form.tax_id ? [{ type: 'eu_vat', value: form.tax_id }] : [],
  }
  world.emit('checkout.session.completed', session)
}

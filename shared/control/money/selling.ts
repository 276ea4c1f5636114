/**
 * What people do about paying: choose a plan, change it, and see their invoices. Money
 * moves at the payment service alone; what is paid for is granted when it says so (following.ts).
 */
import { linkTo } from '../../base/console-pages.ts'
import { fail } from '../../base/errors.ts'
import { type AuditAction, byCaller, writeAudit } from '../audit.ts'
import { type Caller, requirePerson } from '../caller.ts'
import type { AccountControl, Control } from '../control.ts'
import type { Doc, Snapshot, Transaction } from '../platform.ts'
import { countEvent } from '../rates.ts'
import { requireStill } from '../still.ts'
import { currencySchema } from './amounts.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import type { Catalogue, Interval, Plan } from './catalogue-schema.ts'
import { countCheckout } from './checkout-bounds.ts'
import { claimCustomer } from './claiming.ts'
import { askToFollow } from './following.ts'
import { chooseSubscription, textOf } from './following-rules.ts'
import { planIn } from './grants.ts'
import { flushTransfer } from './meters.ts'
import type { Invoice, PaidSubscription } from './payments.ts'
import { endsMeter, itemsOf, type Terms } from './price-keys.ts'
import { priceOf, seatPriceOf } from './prices.ts'
import { mayTry } from './trials.ts'

const dayMs = 24 * 3_600_000
const halfHourMs = dayMs / 48
/** A payment page lives for so long after the half hour in which it was asked for; Stripe wants 30 min. */
const pageMs = 35 * 60_000
/** Stripe makes at most 20 invoices of a subscription in a day. */
const changes = { scope: 'billing', max: 10, windowMs: dayMs }
/** What is not reported by then is asked for again, with the change. */
const flushMs = 20_000

type Choice = { readonly plan: string; readonly interval: Interval; readonly seats: number }

/** @throws billing.none before the account has paid for anything */
export async function readSubscription({ store }: AccountControl): Promise<Snapshot<SubscriptionDoc>> {
  const found = await store.get(subscriptions.ref(store.account))
  if (!found || found.data.subscription === '') throw fail('billing.none')
  return found
}

/**
 * A page of the payment service where a person pays. What they choose there counts when it is paid.
 * @throws billing.off, billing.choice, billing.twice, billing.disputed, billing.limit, auth.unverified
 */
export async function startCheckout(
  control: Control,
  own: AccountControl,
  caller: Caller,
  choice: Choice & { readonly currency: string },
): Promise<{ readonly url: string }> {
  await requireRight(own, caller)
  requireOn(control)
  const person = requirePerson(caller)
  if (!person.emailVerified) throw fail('auth.unverified')
  const catalogue = await control.catalogues.newest()
  const { currency, ...chosen } = choice
  const terms = termsFor(catalogue, chosen, currency)
  const before = await own.store.get(subscriptions.ref(caller.account))
  if (before && before.data.state !== 'free') throw fail('billing.twice')
  if (before?.data.isDisputed) throw fail('billing.disputed')
  await countCheckout(control, caller)
  const customer = await customerFor(control, caller, person.email)
  const nowMs = control.clock.now()
  const { trial } = planIn(catalogue, terms.plan)
  // One trial for each account, card and mailbox (trials.ts).
  const hadTrial = before !== undefined && (before.data.hadTrial || before.data.timeline.length > 0)
  const isFirst = !hadTrial && (await mayTry(control, { account: caller.account, email: person.email }))
  const trialDays = isFirst ? (trial?.days ?? 0) : 0
  const halfHour = Math.floor(nowMs / halfHourMs)
  const opened = await control.payments.openCheckout({
    customer,
    items: itemsOf(catalogue, terms),
    currency,
    trialDays,
    returnUrl: linkTo(control.settings, 'plans'),
    // The same choice within half an hour is the same page.
    key: `checkout:${[customer, terms.plan, terms.interval, terms.seats, trialDays, halfHour].join(':')}`,
    expiresAt: (halfHour + 1) * halfHourMs + pageMs,
  })
  await record(own, caller, { action: 'billing.checkout', details: { ...chosen } })
  return opened
}

/** One for each account, claimed by its document. */
async function customerFor(control: Control, caller: Caller, email: string): Promise<string> {
  const { store, payments } = control
  const { account } = caller
  const known = await store.get(subscriptions.ref(account))
  if (known) return known.data.customer
  return claimCustomer(control, account, await payments.makeCustomer(account, email))
}

/** @throws billing.choice for what cannot be had so */
function termsFor(catalogue: Catalogue, { plan: name, interval, seats }: Choice, currency: string): Terms {
  const plan = planIn(catalogue, name)
  const of = currencySchema.safeParse(currency)
  if (!plan.offered || !of.success || priceOf(plan, interval, of.data) === undefined)
    throw fail(
      'billing.choice',
      `The plan "${name}" is not sold by the ${interval} in ${currency.toUpperCase()}.`,
    )
  const { included, max } = plan.seats ?? { included: 1, max: 1 }
  if (seats > max || seats < 1)
    throw fail('billing.choice', `The plan "${name}" has from ${included} to ${max} seats.`)
  return { plan: name, version: catalogue.version, interval, currency, seats: Math.max(seats, included) }
}

type Outcome = {
  /** `now`: it is charged at once. `later`: from the next period on. `end`: it ends with the period. */
  readonly when: 'now' | 'later' | 'end' | 'kept'
  readonly at: number
  /** Minor units to pay now, with tax. */
  readonly due: number
  readonly currency: string
}

/**
 * More than now is charged at once, in force when it is paid, and for the rest of the period alone; less, and the end
 * (`free`), wait for the period's end. The present choice takes back a change that waits.
 * @param isDry says only what it would be
 * @throws billing.off, billing.none, billing.choice, billing.limit, billing.open, billing.disputed, billing.declined
 */
export async function changePlan(
  control: Control,
  own: AccountControl,
  caller: Caller,
  { isDry, ...choice }: Choice & { readonly isDry: boolean },
): Promise<Outcome> {
  await requireRight(own, caller)
  requireOn(control)
  requirePerson(caller)
  const { data: doc, version } = await readSubscription(own)
  const { payments, clock } = control
  const found = await payments.readCustomer(doc.customer)
  const { chosen } = chooseSubscription(found.subscriptions)
  if (!chosen) throw fail('billing.none')
  const at = Math.floor(clock.now() / 1_000) * 1_000
  const periodEnd = chosen.period.end
  const plan = await planOf(control, doc, choice)
  const when = plan === 'end' ? 'end' : plan.when
  const later = { at: periodEnd, due: 0, currency: doc.currency }
  if (!isDry) await countEvent(control, changes, { subject: caller.account, key: 'billing.limit' })
  const key = `change:${doc.account}:${version}:${choice.plan}:${choice.interval}:${choice.seats}`
  if (plan !== 'end' && plan.when === 'now')
    return changeAtOnce(control, own, caller, { doc, chosen, choice, items: plan.items, at, key, isDry })
  if (isDry) return { when, ...later }
  if (plan === 'end') await payments.cancelLater(chosen, key)
  else if (plan.when === 'kept') await payments.keep(chosen, key)
  else await payments.changeLater({ subscription: chosen, items: plan.items }, key)
  await settle(control, own, caller, { doc, details: { ...choice, when } })
  return { when, ...later }
}

async function changeAtOnce(
  control: Control,
  own: AccountControl,
  caller: Caller,
  given: {
    readonly doc: SubscriptionDoc
    readonly chosen: PaidSubscription
    readonly choice: Choice
    readonly items: ReturnType<typeof itemsOf>
    readonly at: number
    readonly key: string
    readonly isDry: boolean
  },
): Promise<Outcome> {
  const { doc, chosen, choice, items, at, key, isDry } = given
  if (doc.isDisputed) throw fail('billing.disputed')
  if (doc.state === 'pastDue' || doc.state === 'limited') throw fail('billing.open')
  const change = { subscription: chosen, items, at }
  if (isDry) {
    const { due, currency } = await control.payments.preview(doc.customer, change)
    return { when: 'now', at, due, currency }
  }
  // Noted first: when the change arrives, the bill counts from the second that it is charged from.
  if (endsMeter(chosen, items)) await flushTransfer(own, AbortSignal.timeout(flushMs))
  await own.store.update(subscriptions.ref(doc.account), { asked: { items: textOf({ items }), at } })
  await control.payments.changeNow(change, key)
  await settle(control, own, caller, { doc, details: { ...choice, when: 'now' } })
  return { when: 'now', at, due: 0, currency: doc.currency }
}

async function settle(
  control: Control,
  own: AccountControl,
  caller: Caller,
  { doc, details }: { readonly doc: SubscriptionDoc; readonly details: Doc },
): Promise<void> {
  await record(own, caller, { action: 'billing.asked', details })
  await askToFollow(control, doc.customer)
}

/** Whether a choice is more or less than what there is. */
async function planOf(
  { catalogues }: Control,
  doc: SubscriptionDoc,
  choice: Choice,
): Promise<'end' | { readonly when: 'now' | 'later' | 'kept'; readonly items: ReturnType<typeof itemsOf> }> {
  if (choice.plan === 'free') return 'end'
  const present = await catalogues.of(doc.version)
  const isSamePlan = choice.plan === doc.plan && choice.interval === doc.interval
  // Who stays with a plan stays with its version: seats are added at the price that they have.
  const catalogue = isSamePlan ? present : await catalogues.newest()
  const terms = termsFor(catalogue, choice, doc.currency)
  const items = itemsOf(catalogue, terms)
  if (isSamePlan && terms.seats === doc.seats) return { when: 'kept', items }
  const before = yearly(planIn(present, doc.plan), doc, doc.currency)
  const after = yearly(planIn(catalogue, choice.plan), terms, doc.currency)
  const isLonger = doc.interval === 'month' && choice.interval === 'year'
  const isShorter = doc.interval === 'year' && choice.interval === 'month'
  return { when: !isShorter && (isLonger || after > before) ? 'now' : 'later', items }
}

/** What plan and seats cost in a year. */
function yearly(
  plan: Plan,
  { interval, seats }: Pick<Terms, 'interval' | 'seats'>,
  currency: string,
): bigint {
  const of = currencySchema.parse(currency)
  const more = BigInt(Math.max(0, seats - (plan.seats?.included ?? seats)))
  const amount = (priceOf(plan, interval, of) ?? 0n) + more * (seatPriceOf(plan, interval, of) ?? 0n)
  return interval === 'month' ? amount * 12n : amount
}

/** @throws billing.off, billing.none */
export async function openPortal(
  control: Control,
  own: AccountControl,
  caller: Caller,
): Promise<{ readonly url: string }> {
  await requireRight(own, caller)
  requireOn(control)
  requirePerson(caller)
  const found = await own.store.get(subscriptions.ref(own.store.account))
  if (!found) throw fail('billing.none')
  const opened = await control.payments.openPortal(found.data.customer, linkTo(control.settings, 'plans'))
  await record(own, caller, { action: 'billing.portal', details: {} })
  return opened
}

export async function invoicesOf(control: Control, own: AccountControl): Promise<readonly Invoice[]> {
  const found = await own.store.get(subscriptions.ref(own.store.account))
  return found && control.payments.kind !== 'none' ? control.payments.listInvoices(found.data.customer) : []
}

/** @throws billing.off */
export function requireOn({ payments }: Pick<Control, 'payments'>): void {
  if (payments.kind === 'none') throw fail('billing.off')
}

type Entry = { readonly action: AuditAction; readonly details: Doc }

/** A person's rights may be 30 s old, and a payment outlasts them. @throws auth.scope */
export async function requireRight(own: AccountControl, caller: Caller): Promise<void> {
  const nowMs = own.clock.now()
  await own.store.transact((tx) => requireStill(tx, caller, { needs: 'billing.write', nowMs }))
}

async function record(own: AccountControl, caller: Caller, what: Entry): Promise<void> {
  const nowMs = own.clock.now()
  await own.store.transact(async (tx) => entry(tx, caller, what, nowMs))
}

export function entry(tx: Transaction, caller: Caller, { action, details }: Entry, nowMs: number): void {
  writeAudit(tx, { ...byCaller(caller), target: caller.account, action, details }, nowMs)
}

/** How a subscription begins: by the API, or at the end of a Checkout. */
import type { Stripe } from 'stripe'
import { draftOf, type intervalOf, isMetered, licensedLine } from './invoice-object.ts'
import { finalize, openDraft, pay } from './invoices.ts'
import { cardFor, declined } from './payment-methods.ts'
import { wouldPay } from './payments.ts'
import { periodFrom } from './periods.ts'
import { Refusal } from './refusal.ts'
import {
  type AskedSubscription,
  checkItems,
  customerOf,
  itemOf,
  subscriptionOf,
} from './subscription-object.ts'
import type { World } from './world.ts'

export type Behavior = 'allow_incomplete' | 'default_incomplete' | 'error_if_incomplete'

/**
 * @param isPresent somebody is there to confirm a payment
 * @throws Refusal 402 with `error_if_incomplete` when the card does not pay; nothing exists then
 */
export function startSubscription(
  world: World,
  asked: AskedSubscription,
  { behavior, isPresent }: { behavior: Behavior; isPresent: boolean },
): Stripe.Subscription {
  checkItems(world, asked.customer, asked.items)
  const subscription = subscriptionOf(world, asked)
  const { trialEnd } = asked
  const now = world.now()
  const interval = asked.items[0]?.price.recurring?.interval
  const period =
    trialEnd === undefined ? periodFrom(now, toInterval(interval), now) : { start: now, end: trialEnd }
  subscription.items.data = asked.items.map((item) => itemOf(world, subscription.id, { ...item, period }))
  if (asked.cancelAtPeriodEnd) subscription.cancel_at = period.end
  const lines = subscription.items.data
    .filter((item) => !isMetered(item))
    .map((item) => licensedLine(world, item, period, trialEnd !== undefined))
  const spec = { reason: 'subscription_create', lines, period: { start: now, end: now } } as const
  if (behavior === 'error_if_incomplete') refuseUnpaid(world, subscription, { spec, isPresent })
  world.keep('subscriptions', subscription)
  if (trialEnd === undefined) subscription.status = 'incomplete'
  const invoice = openDraft(world, subscription, spec)
  world.emit('customer.subscription.created', subscription)
  finalize(world, invoice)
  // What is free is paid by being final.
  if (isOpen(invoice) && behavior !== 'default_incomplete') pay(world, invoice, { isPresent })
  return subscription
}

function toInterval(interval: string | undefined): ReturnType<typeof intervalOf> {
  return (interval ?? 'month') as ReturnType<typeof intervalOf>
}

function isOpen({ status }: Stripe.Invoice): boolean {
  return status === 'open'
}

type Trial = { readonly spec: Parameters<typeof draftOf>[2]; readonly isPresent: boolean }

/** Asks the card first, so that a refusal leaves nothing behind. */
export function refuseUnpaid(
  world: World,
  subscription: Stripe.Subscription,
  { spec, isPresent }: Trial,
): void {
  const draft = draftOf(world, subscription, spec)
  if (draft.amount_due < (world.settings.chargeMin[draft.currency] ?? 1)) return
  const method = cardFor(world, customerOf(world, subscription), subscription.default_payment_method)
  if (!method)
    throw new Refusal(402, {
      type: 'invalid_request_error',
      code: 'resource_missing',
      message: 'This customer has no attached payment source or default payment method.',
    })
  const isFirst = !world.confirmed.has(method.id)
  const outcome = wouldPay(method.card, { isPresent, isFirst })
  if (outcome === 'paid') return
  const decline = method.card.attach ?? method.card.charge
  if (decline) throw declined(decline)
  throw new Refusal(402, {
    type: 'card_error',
    code: 'subscription_payment_intent_requires_action',
    message:
      'Payment for this subscription requires additional user action before it can be completed successfully.',
  })
}

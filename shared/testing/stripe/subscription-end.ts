/** Cancelling at once, and deleting a customer. */
import type { Stripe } from 'stripe'
import { deletedCustomers, findCustomer } from './customers.ts'
import { amountOf, isMetered, meteredLine, nameOf } from './invoice-object.ts'
import { finalize, openDraft, pay } from './invoices.ts'
import { partOf } from './money.ts'
import { none } from './params.ts'
import type { PendingLine } from './pending-lines.ts'
import { type Route, route } from './routes.ts'
import { periodOf } from './subscription-object.ts'
import { endNow } from './subscription-states.ts'
import { idOf, type World } from './world.ts'

/**
 * @param how.invoices bills what waits and what was used, now; otherwise that is lost
 * @param how.prorates gives back the rest of the period, as credit
 */
export function cancelNow(
  world: World,
  subscription: Stripe.Subscription,
  { invoices, prorates }: { readonly invoices: boolean; readonly prorates: boolean },
): void {
  const now = world.now()
  const { start, end } = periodOf(subscription)
  const back = prorates && subscription.status !== 'trialing' ? unusedTime(world, subscription) : []
  const used = subscription.items.data
    .filter(isMetered)
    .map((item) => meteredLine(world, item, idOf(subscription.customer), { start, end: Math.min(now, end) }))
    .filter(({ quantity }) => quantity > 0)
  if (invoices) {
    const waiting = world.pending.get(subscription.id) ?? []
    if (waiting.length + back.length + used.length > 0) {
      const invoice = openDraft(world, subscription, {
        reason: 'subscription_update',
        lines: [...back, ...used],
        period: { start, end: now },
      })
      finalize(world, invoice)
      if ((invoice.status as string) === 'open') pay(world, invoice)
    }
  }
  if (subscription.status !== 'canceled') endNow(world, subscription, 'cancellation_requested')
}

function unusedTime(world: World, subscription: Stripe.Subscription): PendingLine[] {
  const { start, end } = periodOf(subscription)
  const now = Math.min(world.now(), end)
  return subscription.items.data
    .filter((item) => !isMetered(item))
    .map((item) => ({
      subscription: subscription.id,
      item: item.id,
      price: item.price,
      quantity: item.quantity ?? 1,
      amount: -partOf(amountOf(world, item.price, item.quantity ?? 1), end - now, end - start),
      isProration: true,
      period: { start: now, end },
      description: `Unused time on ${nameOf(world, item.price)}`,
    }))
}

/** A deleted customer's subscriptions end at once and without an invoice; invoices stay. */
export const customerEndRoutes: readonly Route[] = [
  route('DELETE /v1/customers/:id', none, (world, _, id = '') => {
    const customer = findCustomer(world, id)
    return world.onClock(customer.test_clock, () => {
      for (const subscription of world.all('subscriptions'))
        if (subscription.customer === id && subscription.status !== 'canceled')
          cancelNow(world, subscription, { invoices: false, prorates: false })
      for (const invoice of world.all('invoices'))
        if (invoice.customer === id && (invoice.status === 'draft' || invoice.status === 'open')) {
          invoice.auto_advance = false
          invoice.next_payment_attempt = null
        }
      world.tables.customers.delete(id)
      const gone: Stripe.DeletedCustomer = { id, object: 'customer', deleted: true }
      deletedCustomers(world).set(id, gone)
      world.emit('customer.deleted', customer)
      return gone
    })
  }),
]

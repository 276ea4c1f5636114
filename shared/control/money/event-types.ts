/**
 * The events of the payment service that mean something to us: what `billing sync` asks to be told, and what the inbox
 * takes. Each says one thing: look at this customer (docs/decisions/0090).
 */
export const snapshotEvents = [
  'customer.updated',
  'customer.deleted',
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'customer.subscription.pending_update_applied',
  'customer.subscription.pending_update_expired',
  'subscription_schedule.updated',
  'subscription_schedule.released',
  'subscription_schedule.canceled',
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.voided',
  'invoice.marked_uncollectible',
  'credit_note.created',
  'refund.created',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'radar.early_fraud_warning.created',
] as const

/** They name a meter and no customer: reports of transfer were refused (money.md, rule 17). */
export const thinEvents = [
  'v1.billing.meter.error_report_triggered',
  'v1.billing.meter.no_meter_found',
] as const

const ofCustomers: ReadonlySet<string> = new Set(snapshotEvents)
const ofMeters: ReadonlySet<string> = new Set(thinEvents)

export function isMeterError(type: string): boolean {
  return ofMeters.has(type)
}

/** Others are kept for a release that knows them. */
export function isKnownEvent(type: string): boolean {
  return ofCustomers.has(type) || ofMeters.has(type)
}

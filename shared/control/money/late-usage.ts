/** The draft of a period's invoice waits for the usage of its last hours (money.md, rule 18). */
import type { Control } from '../control.ts'
import { chooseSubscription } from './following-rules.ts'
import type { CustomerState } from './payments.ts'
import { isTransferKey } from './price-keys.ts'

/** Relays report an hour within 20 min of its end, unless they are cut off; the Dashboard's own default is an hour. */
const waitsMs = 6 * 3_600_000

/**
 * Has the payment service keep the draft open until then. When it does not, as with a key that may not write invoices,
 * it is final when the Dashboard's setting says: what comes later is forgiven, and nobody pays too much.
 */
export async function holdInvoice(
  { payments, clock, log }: Pick<Control, 'payments' | 'clock' | 'log'>,
  customer: string,
  { subscriptions }: CustomerState,
): Promise<void> {
  const { chosen } = chooseSubscription(subscriptions)
  if (!chosen?.items.some(({ price }) => isTransferKey(price))) return
  const { start } = chosen.period
  // The first period has no earlier usage.
  if (chosen.createdAt >= start || clock.now() >= start + waitsMs) return
  await payments.holdDrafts(customer, start + waitsMs).catch((error: unknown) => {
    log.warn({ customer, error }, 'An invoice could not be kept open for late usage')
  })
}

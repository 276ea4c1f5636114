/**
 * A bank took a payment back for good, so what was paid so ends. Nothing more is charged to a card
 * whose owner says that they never bought anything; an operator who knows better says so at the payment service.
 */
import type { Control } from '../control.ts'
import type { Snapshot } from '../platform.ts'
import type { SubscriptionDoc } from './billing-documents.ts'
import { chooseSubscription } from './following-rules.ts'
import type { CustomerState } from './payments.ts'

/**
 * Ends the subscription that began before the dispute that was lost; a later one was bought with an operator's consent.
 * @returns whether the customer changed and has to be read again
 * @throws billing.unavailable, billing.refused
 */
export async function endAfterLostDispute(
  { payments, log }: Control,
  { data: { account } }: Snapshot<SubscriptionDoc>,
  { subscriptions, lostAt }: CustomerState,
): Promise<boolean> {
  const { chosen } = chooseSubscription(subscriptions)
  if (!chosen || lostAt <= chosen.createdAt) return false
  log.warn(
    { account, subscription: chosen.id },
    'A subscription was ended: a dispute about its payment was lost',
  )
  await payments.endNow(chosen.id, 'any')
  return true
}

/**
 * A bank took a payment back for good, so what was paid so ends. Nothing more is charged to a card
 * whose owner says that they never bought anything; an operator who knows better says so at the payment service.
 */
import type { Control } from '../control.ts'
import { kick } from '../jobs/kick.ts'
import type { Snapshot } from '../platform.ts'
import { lookToTellTeam } from '../team/letters.ts'
import type { SubscriptionDoc } from './billing-documents.ts'
import { chooseSubscription } from './following-rules.ts'
import type { CustomerState } from './payments.ts'

/**
 * Ends the subscription that began before the dispute that was lost; a later one was bought with an operator's consent.
 * @returns whether the customer changed and has to be read again
 * @throws billing.unavailable, billing.refused
 */
export async function endAfterLostDispute(
  control: Control,
  before: Snapshot<SubscriptionDoc>,
  { subscriptions, lostAt }: CustomerState,
): Promise<boolean> {
  const { payments, log } = control
  const { account } = before.data
  const { chosen } = chooseSubscription(subscriptions)
  if (!chosen || lostAt <= chosen.createdAt) return false
  log.warn(
    { account, subscription: chosen.id },
    'A subscription was ended: a dispute about its payment was lost',
  )
  await tellOnce(control, before, lostAt)
  await payments.endNow(chosen.id, 'any')
  return true
}

/** It is noted with the mail, so a try that fails afterwards tells nobody twice. */
async function tellOnce(
  control: Control,
  { ref, data: { account } }: Snapshot<SubscriptionDoc>,
  lostAt: number,
): Promise<void> {
  const nowMs = control.clock.now()
  const job = await control.store.transact(async (tx) => {
    const latest = await tx.get(ref)
    const tell = await lookToTellTeam(tx, { event: 'billing-lost', account, user: '' }, nowMs)
    if (!latest || latest.data.toldLost === lostAt) return undefined
    tx.update(ref, { toldLost: lostAt })
    return tell()
  })
  if (job !== undefined) await kick(control, [job])
}

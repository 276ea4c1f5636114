/**
 * An account that is being deleted must not be charged for a period that nobody wants any more: its subscription ends
 * with the period, or with the deletion, whichever comes first. When the deletion is taken back, so is that end, and a
 * change that waited for the next period waits again. docs/decisions/0090
 */
import { isFailure } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { accounts } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { type SubscriptionDoc, subscriptions } from './billing-documents.ts'
import { chooseSubscription } from './following-rules.ts'
import type { CustomerState, PaidSubscription } from './payments.ts'

/**
 * Has the payment service do what the account's deletion, or its taking back, asks for. It is noted before it is asked
 * for, so a crash between any two steps leads to the same end.
 * @returns whether the customer changed and has to be read again
 * @throws billing.unavailable, billing.refused
 */
export async function alignWithAccount(
  control: Control,
  before: Snapshot<SubscriptionDoc>,
  found: CustomerState,
): Promise<boolean> {
  const { account, closing } = before.data
  const { chosen } = chooseSubscription(found.subscriptions)
  if (!chosen || control.payments.kind === 'none') return false
  const owner = await control.store.get(accounts.ref(account))
  if (!owner || owner.data.status === 'closed') return false
  const { leaving } = owner.data
  if (!leaving) return closing ? restore(control, before, chosen) : false
  // Ended by its owner before, or by us.
  if (chosen.cancelAt > 0) return false
  const noted = { of: leaving.askedAt, items: chosen.next?.items ?? closing?.items ?? [] }
  await control.store.update(before.ref, { closing: noted })
  await control.payments.cancelLater(chosen, `leave:${account}:${leaving.askedAt}`)
  return true
}

async function restore(
  { store, payments, log }: Control,
  { ref, data }: Snapshot<SubscriptionDoc>,
  chosen: PaidSubscription,
): Promise<boolean> {
  const { of, items } = data.closing ?? { of: 0, items: [] }
  const key = `kept:${data.account}:${of}`
  if (items.length === 0) await payments.keep(chosen, key)
  else
    await payments.changeLater({ subscription: chosen, items }, key).catch(async (error: unknown) => {
      if (!isFailure(error, 'billing.unsynced')) throw error
      log.error({ account: data.account, items }, 'A planned change has prices that are sold no more')
      await payments.keep(chosen, `${key}:alone`)
    })
  await store.change(ref, (current) => (current ? withoutClosing(current) : 'keep'))
  return true
}

function withoutClosing({ closing: _, ...rest }: SubscriptionDoc): SubscriptionDoc {
  return rest
}

/** The customer of an account that pays, and whose deletion begins or was taken back; undefined: nobody is asked. */
export async function payerOf(
  { store, payments }: Pick<Control, 'store' | 'payments'>,
  account: string,
): Promise<string | undefined> {
  if (payments.kind === 'none') return undefined
  const found = (await store.get(subscriptions.ref(account)))?.data
  return found && found.state !== 'free' ? found.customer : undefined
}

/** Alerts about what an account pays and what it has used of it. */
import { codes } from '../../base/errors.ts'
import type { SubscriptionDoc } from '../money/billing-documents.ts'
import type { Transaction } from '../platform.ts'
import { alertRef } from './alert-documents.ts'
import { type AlertChange, lookToRaise, lookToSettle, lookToWriteAll } from './raising.ts'
import { afterQuiet, afterTrouble } from './states.ts'

/** Raised when an invoice is open, and over when the plan is paid again or has ended. Reads first, as `lookToRaise`. */
export async function lookToAlertOfPayment(
  tx: Transaction,
  {
    account,
    before,
    after,
    nowMs,
  }: {
    readonly account: string
    readonly before: SubscriptionDoc
    readonly after: SubscriptionDoc
    readonly nowMs: number
  },
): Promise<() => readonly string[]> {
  const key = { account, kind: 'payment.failed', subject: account } as const
  const isOpen = ({ state }: SubscriptionDoc) => state === 'pastDue' || state === 'limited'
  if (isOpen(before) === isOpen(after)) return () => []
  if (!isOpen(after)) return lookToSettle(tx, key, nowMs)
  const { code } = codes['billing.open']
  const cause = 'A payment failed, and its invoice is open.'
  const cure = 'Pay the invoice, or change the card, on the page of plans.'
  const since = after.graceFrom || nowMs
  return lookToRaise(tx, key, { trouble: { since, name: 'the plan', cause, cure, code }, nowMs })
}

const quotaCodes = { 'quota.near': codes['quota.transfer_near'], 'quota.reached': codes['quota.transfer'] }

/**
 * Raised when the period's transfer reaches a share for the first time, over when a new period begins. Reads first, as
 * `lookToRaise`.
 * @param percent 80, 90 or 100; 0 = no new one
 * @param isNew whether these are the first hours of the period
 */
export async function lookToAlertOfTransfer(
  tx: Transaction,
  {
    account,
    percent,
    isNew,
    nowMs,
  }: {
    readonly account: string
    readonly percent: number
    readonly isNew: boolean
    readonly nowMs: number
  },
): Promise<() => void> {
  const changes: AlertChange[] = []
  for (const kind of ['quota.near', 'quota.reached'] as const) {
    const key = { account, kind, subject: account }
    const isIts = percent > 0 && (kind === 'quota.reached') === percent >= 100
    if (!isIts && !isNew) continue
    const before = await tx.get(alertRef(key))
    const { cause, cure, code } = quotaCodes[kind]
    const trouble = { since: nowMs, name: `${percent} % of this period`, cause, cure, code }
    const when = { nowMs, damped: false }
    const next = isIts
      ? afterTrouble(before?.data, key, { trouble, ...when })
      : afterQuiet(before?.data, when)
    changes.push({ before, next })
  }
  return lookToWriteAll(tx, changes, nowMs)
}

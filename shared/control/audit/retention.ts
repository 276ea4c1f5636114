/** How long entries of the audit log are kept, counted from their seal. */
import type { AccountDoc } from '../documents.ts'
import { auditDaysMin } from '../money/catalogue-schema.ts'
import { limitsOf } from '../plans.ts'

export const dayMs = 24 * 3_600_000
/** The longest retention of any plan, and that of the service's own entries. */
export const leavesDays = 400
export const shortestDays = auditDaysMin

/** By the account's plan when the entry is sealed; without an account: for the service itself. */
export function auditDaysOf(account: Pick<AccountDoc, 'plan' | 'granted' | 'overrides'> | undefined): number {
  return account ? Math.min(leavesDays, Math.max(shortestDays, limitsOf(account).auditDays)) : leavesDays
}

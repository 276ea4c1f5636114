/** How long entries of the audit log are kept, counted from their seal. */
import type { AccountDoc } from '../documents.ts'
import type { PlanName } from '../plans.ts'

export const dayMs = 24 * 3_600_000
/** The longest retention of any plan, and that of the service's own entries. */
export const leavesDays = 400
const days: Readonly<Record<PlanName, number>> = { free: 7, pro: 90, team: 400, unlimited: 400 }
export const shortestDays = days.free

/** By the account's plan when the entry is sealed; without an account: for the service itself. */
export function auditDaysOf(account: Pick<AccountDoc, 'plan'> | undefined): number {
  if (!account) return leavesDays
  return new Map<string, number>(Object.entries(days)).get(account.plan) ?? days.free
}

/** How long entries of the audit log are kept, counted from their seal. */
import type { AccountDoc } from '../documents.ts'
import type { PlanName } from '../plans.ts'

export const dayMs = 24 * 3_600_000
/** As long as the longest kept entry, and those of the service itself. */
export const leavesDays = 400
const days: Readonly<Record<PlanName, number>> = { free: 7, pro: 90, team: 400, unlimited: 400 }
export const shortestDays = days.free

/** Of the plan that the account has when the entry is sealed; absent: of the service itself. */
export function auditDaysOf(account: Pick<AccountDoc, 'plan'> | undefined): number {
  if (!account) return leavesDays
  return new Map<string, number>(Object.entries(days)).get(account.plan) ?? days.free
}

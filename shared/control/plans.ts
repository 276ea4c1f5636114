/**
 * What an account may have and do: the limits that its plan granted, with the operator's own changes for it. API, CLI,
 * console and relays all show these numbers, and every refusal names the limit that was reached.
 */
import type { Me } from '../api/schemas/accounts.ts'
import { type Policy, requestRules } from '../protocol/endpoint.ts'
import type { TicketClaims } from '../protocol/ticket.ts'
import type { AccountDoc } from './documents.ts'
import { builtInCatalogue } from './money/built-in.ts'
import type { Plan } from './money/catalogue-schema.ts'

export type PlanLimits = Me['limits'] & {
  /** Maximum of defined tunnels, online or not. */
  readonly tunnelsDefined: number
  /** Maximum of visitors at once, per tunnel. */
  readonly connectionsMax: number
  readonly keys: number
  /** How long the audit log is kept. */
  readonly auditDays: number
  /** People who may be members; services do not count. Where seats are sold, those that are paid for. */
  readonly seats: number
}

const gigabyte = 1_000_000_000
/** Means "no limit" where a number is needed: safe in JSON and in sums. */
export const boundless = 1_000_000 * gigabyte

export function planLimitsOf({
  limits,
  includedGB,
  seats,
}: Pick<Plan, 'limits' | 'includedGB' | 'seats'>): PlanLimits {
  const transferBytesMonth = includedGB === 'unlimited' ? boundless : includedGB * gigabyte
  return { ...limits, transferBytesMonth, seats: seats?.included ?? boundless }
}

const { free, pro, team, unlimited } = builtInCatalogue.plans
if (!free || !pro || !team || !unlimited) throw new Error('a built-in plan is missing')
/** The built-in plans. */
export const plans = {
  free: planLimitsOf(free),
  pro: planLimitsOf(pro),
  team: planLimitsOf(team),
  unlimited: planLimitsOf(unlimited),
} as const

/** Accounts of releases up to 0.1 hold no limits themselves, but keep what a plan's name meant then. */
const ofEarlier = new Map<string, PlanLimits>(
  Object.entries({ ...plans, team: { ...plans.team, transferBytesMonth: 500 * gigabyte } }),
)

/**
 * The account's limits: what it was granted, with its own overrides. An unknown plan counts as free. Whoever got a plan
 * before plans counted members may have as many as before.
 */
export function limitsOf({
  plan,
  granted,
  overrides,
}: Pick<AccountDoc, 'plan' | 'granted' | 'overrides'>): PlanLimits {
  const named = ofEarlier.get(plan) ?? plans.free
  return { ...named, seats: boundless, ...granted?.limits, ...overrides }
}

/** An account may have as many visitors at once as this many tunnels; each tunnel has its own limit besides. */
const accountShare = 2

/** What relays enforce for all tunnels of an account together. */
export function accountLimitsOf(plan: PlanLimits): NonNullable<TicketClaims['accountLimits']> {
  return {
    connectionsMax: accountShare * plan.connectionsMax,
    connectionsPerMinute: accountShare * plan.connectionsPerMinute,
  }
}

/** What relays enforce for a tunnel: its own policy, never beyond the plan. */
export function policyOf(policy: Partial<Policy>, plan: PlanLimits): Policy {
  return {
    allow: policy.allow ?? [],
    deny: policy.deny ?? [],
    connectionsMax: Math.min(policy.connectionsMax ?? plan.connectionsMax, plan.connectionsMax),
    connectionsPerMinute: Math.min(
      policy.connectionsPerMinute ?? plan.connectionsPerMinute,
      plan.connectionsPerMinute,
    ),
    ...(policy.keepConnections && { keepConnections: policy.keepConnections }),
    ...Object.fromEntries(
      requestRules.flatMap((rule) => (policy[rule] === undefined ? [] : [[rule, policy[rule]]])),
    ),
  }
}

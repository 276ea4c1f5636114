/**
 * The plan catalogue, and what an account may do under it. One table: API, CLI, console and relays all show these
 * numbers, and every refusal names the limit that was reached.
 */
import type { Me } from '../api/schemas/accounts.ts'
import { type Policy, requestRules } from '../protocol/endpoint.ts'
import type { TicketClaims } from '../protocol/ticket.ts'
import type { AccountDoc } from './documents.ts'

export const planNames = ['free', 'pro', 'team', 'unlimited'] as const
export type PlanName = (typeof planNames)[number]

export type PlanLimits = Me['limits'] & {
  /** Maximum of defined tunnels, online or not. */
  readonly tunnelsDefined: number
  /** Maximum of visitors at once, per tunnel. */
  readonly connectionsMax: number
  readonly keys: number
}

const gigabyte = 1_000_000_000
/** Means "no limit" where a number is needed: safe in JSON and in sums. */
export const boundless = 1_000_000 * gigabyte

export const plans: Readonly<Record<PlanName, PlanLimits>> = {
  free: {
    tunnelsOnline: 3,
    tunnelsDefined: 25,
    reservedHosts: 1,
    reservedPorts: 0,
    domains: 1,
    transferBytesMonth: 5 * gigabyte,
    connectionsPerMinute: 100,
    connectionsMax: 200,
    keys: 10,
  },
  pro: {
    tunnelsOnline: 10,
    tunnelsDefined: 100,
    reservedHosts: 10,
    reservedPorts: 3,
    domains: 10,
    transferBytesMonth: 50 * gigabyte,
    connectionsPerMinute: 600,
    connectionsMax: 2_000,
    keys: 50,
  },
  team: {
    tunnelsOnline: 50,
    tunnelsDefined: 500,
    reservedHosts: 100,
    reservedPorts: 20,
    domains: 100,
    transferBytesMonth: 500 * gigabyte,
    connectionsPerMinute: 3_000,
    connectionsMax: 10_000,
    keys: 200,
  },
  /** For people who run the service for themselves. The remaining limits keep one mistake from filling a machine. */
  unlimited: {
    tunnelsOnline: 1_000,
    tunnelsDefined: 5_000,
    reservedHosts: 1_000,
    reservedPorts: 1_000,
    domains: 1_000,
    transferBytesMonth: boundless,
    connectionsPerMinute: 1_000_000,
    connectionsMax: 100_000,
    keys: 1_000,
  },
}

/** The account's limits: its plan's, with its own overrides. An unknown plan counts as free. */
export function limitsOf({ plan, overrides }: Pick<AccountDoc, 'plan' | 'overrides'>): PlanLimits {
  const known = planNames.find((name) => name === plan) ?? 'free'
  return { ...plans[known], ...overrides }
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
    ...Object.fromEntries(
      requestRules.flatMap((rule) => (policy[rule] === undefined ? [] : [[rule, policy[rule]]])),
    ),
  }
}

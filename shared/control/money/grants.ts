/**
 * What a plan gives an account, as the account keeps it. An account does not look its plan up again: a new catalogue,
 * or one that a process cannot read, changes nothing for those who are there (docs/decisions/0086).
 */

import { fail } from '../../base/errors.ts'
import type { AccountDoc } from '../documents.ts'
import { boundless, type PlanLimits, planLimitsOf } from '../plans.ts'
import type { Catalogue, Feature, Plan } from './catalogue-schema.ts'
import { isSold } from './prices.ts'

type Granted = Required<Pick<AccountDoc, 'plan' | 'granted'>>

/** @throws plan.unknown */
export function grantOf(catalogue: Catalogue, name: string): Granted {
  const plan = planIn(catalogue, name)
  const limits = planLimitsOf(plan)
  return { plan: name, granted: { version: catalogue.version, limits, features: plan.features } }
}

/** @throws plan.unknown */
export function planIn({ plans, version }: Catalogue, name: string): Plan {
  const plan = Object.hasOwn(plans, name) ? plans[name] : undefined
  if (plan) return plan
  const names = Object.keys(plans).join(', ')
  throw fail('plan.unknown', `The catalogue ${version} has no plan "${name}". It has ${names}.`)
}

type Larger = { readonly title: string; readonly isSold: boolean }

/** The first plan, in the catalogue's order, that people can choose and that has room for `needs` of a limit. */
export function planWithRoom(
  { plans }: Catalogue,
  limit: keyof PlanLimits,
  needs: number,
): (Larger & { readonly room: number }) | undefined {
  for (const plan of Object.values(plans)) {
    const room = roomIn(plan, limit)
    if (plan.offered && room >= needs && room < boundless)
      return { title: plan.title, room, isSold: isSold(plan) }
  }
  return undefined
}

/** All seats that can be had, also those that cost more. */
function roomIn(plan: Plan, limit: keyof PlanLimits): number {
  return limit === 'seats' && plan.seats ? plan.seats.max : planLimitsOf(plan)[limit]
}

/** The first plan that people can choose and that has the feature. */
export function planWithFeature({ plans }: Catalogue, feature: Feature): Larger | undefined {
  const plan = Object.values(plans).find(({ offered, features }) => offered && features.includes(feature))
  return plan && { title: plan.title, isSold: isSold(plan) }
}

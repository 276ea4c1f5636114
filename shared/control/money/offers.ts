/** The plans that people can choose, as everybody may see them. */
import type { Plans } from '../../api/schemas/plans.ts'
import { type PlanLimits, planLimitsOf } from '../plans.ts'
import type { Catalogue } from './catalogue-schema.ts'

export function offersOf({ version, taxBehavior, transfer, plans }: Catalogue): Plans {
  const offered = Object.entries(plans).filter(([, plan]) => plan.offered)
  return {
    version,
    taxBehavior,
    ...(transfer && { transferPerGB: { ...transfer.perGB } }),
    items: offered.map(([name, plan]) => ({
      name,
      title: plan.title,
      limits: withoutSeats(planLimitsOf(plan)),
      features: [...plan.features],
      prices: plan.prices,
      ...(plan.seats && { seats: plan.seats }),
      ...(plan.trial && { trial: plan.trial }),
      sellsTransfer: plan.overage !== undefined,
    })),
  }
}

/** They stand beside the limits, with their prices. */
function withoutSeats({ seats: _, ...limits }: PlanLimits) {
  return limits
}

/** The plans that people can choose, as everybody may see them. */
import type { Plans } from '../../api/schemas/plans.ts'
import { planLimitsOf } from '../plans.ts'
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
      limits: planLimitsOf(plan),
      features: [...plan.features],
      prices: plan.prices,
      ...(plan.seats && { seats: plan.seats }),
      ...(plan.trial && { trial: plan.trial }),
      sellsTransfer: plan.overage !== undefined,
    })),
  }
}

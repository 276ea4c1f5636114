/** What a refusal by a plan's number says besides the number: the plan that has more room, and where to get it. */
import type { PortTunnelerError } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import type { PlanLimits } from '../plans.ts'
import { planWithRoom } from './grants.ts'

type Beyond = { readonly limit: keyof PlanLimits; readonly needs: number }

/** Fields of a refusal by a limit of which the account has `has` in use. */
export function beyond(limit: keyof PlanLimits, has: number): { readonly beyond: Beyond } {
  return { beyond: { limit, needs: has + 1 } }
}

/** @returns a sentence to follow the refusal's own cure; '' for other refusals */
export async function howToLift(
  { catalogues, settings }: Pick<Control, 'catalogues' | 'settings'>,
  error: PortTunnelerError,
): Promise<string> {
  const { beyond: reached } = error.fields
  if (!isBeyond(reached)) return ''
  const larger = planWithRoom(await catalogues.newest(), reached.limit, reached.needs)
  if (!larger) return 'No plan has more; whoever runs this service can lift it for your account.'
  const has = `The plan ${larger.title} has room for ${larger.room}`
  return larger.isSold
    ? `${has}: ${settings.consoleUrl}/plans`
    : `${has}; whoever runs this service can give it to you.`
}

function isBeyond(value: unknown): value is Beyond {
  return typeof value === 'object' && value !== null && 'limit' in value && 'needs' in value
}

/** What a refusal by a plan says besides the number: the plan that has more, or has it at all, and where to get it. */
import { linkTo } from '../../base/console-pages.ts'
import type { PortTunnelerError } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import type { PlanLimits } from '../plans.ts'
import { type Feature, features } from './catalogue-schema.ts'
import { planWithFeature, planWithRoom } from './grants.ts'

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
  const { beyond: reached, lacks } = error.fields
  const found = isBeyond(reached) || isFeature(lacks)
  if (!found) return ''
  const catalogue = await catalogues.newest()
  const larger = isBeyond(reached)
    ? planWithRoom(catalogue, reached.limit, reached.needs)
    : isFeature(lacks) && planWithFeature(catalogue, lacks)
  if (!larger) return 'No plan has more; whoever runs this service can lift it for your account.'
  const has =
    'room' in larger
      ? `The plan ${larger.title} has room for ${larger.room}`
      : `The plan ${larger.title} has it`
  return larger.isSold
    ? `${has}: ${linkTo(settings, 'plans')}`
    : `${has}; whoever runs this service can give it to you.`
}

function isBeyond(value: unknown): value is Beyond {
  return typeof value === 'object' && value !== null && 'limit' in value && 'needs' in value
}

function isFeature(value: unknown): value is Feature {
  return features.some((feature) => feature === value)
}

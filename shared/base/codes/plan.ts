/** PT-27nn: plans, what they include, and paying for them. */
import type { ErrorEntry } from '../errors.ts'

export const planCodes = {
  'plan.catalogue': {
    code: 'PT-2701',
    http: 400,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'The plans cannot be used',
    cause:
      'The catalogue of plans has a mistake, an amount that cannot be charged, or a plan that loses money at full use.',
    cure: 'Correct the places that the message names; docs/plans.md explains each field.',
  },
} as const satisfies Record<string, ErrorEntry>

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
  'plan.version': {
    code: 'PT-2702',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'This version of the plans is taken',
    cause: 'A catalogue with this number, or a higher one, was applied before.',
    cure: 'Give the changed catalogue a higher version.',
  },
  'plan.unknown': {
    code: 'PT-2703',
    http: 404,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'There is no such plan',
    cause: 'The catalogue in force has no plan of this name.',
    cure: 'Use a name that ptunctl plans show lists, also in the setting for new accounts.',
  },
  'plan.feature': {
    code: 'PT-2704',
    http: 403,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Not part of the plan',
    cause:
      'The plan of the account does not have what was asked for. What the account already has stays as it is.',
    cure: 'Choose a plan that has it.',
  },
  'plan.seats': {
    code: 'PT-2705',
    http: 403,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Too many members for the plan',
    cause:
      'The account has as many people, together with those who are invited, as its plan has seats for. Service members need no seat.',
    cure: 'Remove members who no longer need access, take back invitations, or get more seats.',
  },
} as const satisfies Record<string, ErrorEntry>

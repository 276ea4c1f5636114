/** PT-113n: people and accounts that are being deleted, and what an operator may do for them. */
import type { ErrorEntry } from '../errors.ts'

export const peopleCodes = {
  'account.leaving': {
    code: 'PT-1130',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'user',
    title: 'Account is being deleted',
    cause: 'An owner has asked to delete this account. Until its day it does nothing, and then it is erased.',
    cure: 'An owner can undo it in the console until that day, or export the data there.',
  },
  'auth.leaving': {
    code: 'PT-1131',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'user',
    title: 'Sign-in is being deleted',
    cause:
      'This person has asked to delete their sign-in. Until its day it only exports data or undoes the deletion.',
    cure: 'Sign in to the console to undo it.',
  },
  'person.last_owner': {
    code: 'PT-1132',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'A team would have no owner',
    cause:
      'You are the last owner of an account that other people use, so your sign-in cannot be deleted yet.',
    cure: 'On the page Members hand the account over to one of them, or delete the account first.',
  },
  'person.operator': {
    code: 'PT-1133',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Operators stay',
    cause: 'You are an operator of this service, so your sign-in cannot be deleted.',
    cure: 'Another operator ends that first: ptunctl operators remove with your address.',
  },
  'leaving.none': {
    code: 'PT-1134',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Nothing to undo',
    cause: 'Nobody has asked for this deletion, or somebody undid it, or it has begun.',
    cure: 'Look at the account again: it is either in use or gone.',
  },
} as const satisfies Record<string, ErrorEntry>

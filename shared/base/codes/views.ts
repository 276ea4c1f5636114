/** PT-114n: operators who view an account as its people see it. */
import type { ErrorEntry } from '../errors.ts'

export const viewCodes = {
  'view.closed': {
    code: 'PT-1140',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'operator',
    title: 'Not while you view an account',
    cause:
      'An operator who views an account reads its ordinary pages and changes nothing. Keys, exports, mails and live figures stay closed.',
    cure: 'End the view. Then do it as an operator, or ask the people of the account to do it.',
  },
  'view.over': {
    code: 'PT-1141',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'operator',
    title: 'The view has ended',
    cause:
      'A view of an account ends after 30 minutes, by hand, when another one begins, with the sign-in that began it, and when its operator loses the role.',
    cure: 'Begin another one on the operator pages, with a reason.',
  },
  'view.operator': {
    code: 'PT-1142',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'operator',
    title: 'Operators cannot be viewed',
    cause:
      'The person is an operator, or an operator owns the account. Through a view, one operator could read what another is doing.',
    cure: 'Ask that operator. If they should be none any more, end that first: ptunctl operators remove.',
  },
} as const satisfies Record<string, ErrorEntry>

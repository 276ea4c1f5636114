/** PT-115n: the operator's documents that people accept, and which mails they get. */
import type { ErrorEntry } from '../errors.ts'

export const termsCodes = {
  'terms.due': {
    code: 'PT-1150',
    http: 403,
    exit: 3,
    retry: 'never',
    owner: 'user',
    title: 'Terms wait for your acceptance',
    cause:
      'The operator of this service asks everybody to accept its terms, and the day until which you could go on without that is over, or you are new.',
    cure:
      'Sign in to the console and accept them there; then keys that you made work again, too. You can still read, ' +
      'export and delete everything, and tunnels that are online stay online.',
  },
  'terms.changed': {
    code: 'PT-1151',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'These are not all the present terms',
    cause:
      'The acceptance names a version that the service does not ask for, or leaves out a document that it asks for. They may have changed while the page was open.',
    cure: 'Load the page again, read the present versions, and accept those.',
  },
  'mail.essential': {
    code: 'PT-1152',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'These mails stay on',
    cause: 'Your account and its safety depend on these mails, or you ask for each of them yourself.',
    cure: 'Turn off other kinds of mails on the page Account. Somebody who wants no mail at all deletes their sign-in there.',
  },
} as const satisfies Record<string, ErrorEntry>

/** PT-286n: what operators do about abuse, and what people who report it meet. */
import type { ErrorEntry } from '../errors.ts'

export const abuseCodes = {
  'tunnel.taken_down': {
    code: 'PT-2860',
    http: 451,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Tunnel was taken down',
    cause:
      'The operator of this service has stopped this tunnel, most often because somebody reported it for abuse.',
    cure: 'A mail to the owners of the account and the page of the tunnel say why. Answer that mail, or write to the operator. Once the operator puts the tunnel back, ptun serves it again by itself.',
  },
  'report.address': {
    code: 'PT-2861',
    http: 400,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Reported address is none of ours',
    cause: 'What was reported is no address, or none that this service has.',
    cure: 'Copy the address from the browser’s address bar or from the message that led you there, such as https://shop.example.com. If it is of another service, report it there.',
  },
  'report.email': {
    code: 'PT-2862',
    http: 400,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Mail address for the answer is not one',
    cause: 'The report has a mail address for the answer that cannot be one.',
    cure: 'Correct it, or leave it out: the report is read all the same.',
  },
  'report.decided': {
    code: 'PT-2863',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'Report was decided before',
    cause: 'Another operator has decided this report, or it was decided in another tab.',
    cure: 'Look at the decision. To change what was done, put the tunnel back or lift the suspension of the account.',
  },
} as const satisfies Record<string, ErrorEntry>

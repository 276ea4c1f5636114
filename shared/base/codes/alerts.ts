/** PT-28nn: alerts and who hears of them. */
import type { ErrorEntry } from '../errors.ts'

export const alertCodes = {
  'alert.over': {
    code: 'PT-2800',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'The alert is over',
    cause: 'The alert has ended already, so there is nothing to acknowledge.',
    cure: 'There is nothing to do. The list of alerts shows those that are still open.',
  },
  'alert.rules': {
    code: 'PT-2801',
    http: 400,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'No such rule of alerts',
    cause:
      'A rule has a limit or a time that its alert does not have, two rules are for the same tunnels, or there is more maintenance announced than an account may have.',
    cure: 'Change what the answer names. The list of rules shows the limits and times that each alert has.',
  },
  'webhook.off': {
    code: 'PT-2802',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'No webhooks here',
    cause: 'This server is not set up to send webhooks.',
    cure: 'Ask its operator, or have alerts sent by mail.',
  },
  'webhook.address': {
    code: 'PT-2803',
    http: 400,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Address is not public',
    cause:
      'A webhook goes to the public internet by https alone. This address is of another kind, has a password in it, or its host stands for a private, local or reserved address.',
    cure: 'Use an https address whose host every resolver finds and whose addresses are all public.',
  },
  'webhook.limit': {
    code: 'PT-2804',
    http: 403,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'Too many webhooks',
    cause: 'An account may have five webhooks.',
    cure: 'Remove one that is no longer needed, or change its address.',
  },
  'webhook.failed': {
    code: 'PT-2805',
    http: 502,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Webhook does not answer',
    cause: 'A webhook has taken nothing for five days, so nothing is sent there any more.',
    cure: 'Make the receiver answer with a status from 200 to 299 within 15 seconds. Then turn the webhook on again in the console, and send a test.',
  },
} as const satisfies Record<string, ErrorEntry>

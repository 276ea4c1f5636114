/** PT-6100 to 6104: what the sender of a webhook meets at a tunnel that lets in signed ones alone. */
import type { ErrorEntry } from '../errors.ts'

const refused = { http: 401, exit: 1, retry: 'never', owner: 'peer' } as const

export const webhookCodes = {
  'webhook.unsigned': {
    code: 'PT-6100',
    ...refused,
    title: 'Webhook without a signature',
    cause: 'The tunnel lets in only signed webhooks, and this request has no signature, or more than one.',
    cure: 'Let the service sign what it sends. Requests that nobody signs need a tunnel without webhooks.',
  },
  'webhook.signature': {
    code: 'PT-6101',
    ...refused,
    title: 'Signature of the webhook is wrong',
    cause: 'It was made with another secret, or for another body.',
    cure: 'Compare the secret of the tunnel with the one that the service shows for this endpoint.',
  },
  'webhook.late': {
    code: 'PT-6102',
    ...refused,
    title: 'Signature of the webhook is too old',
    cause: 'It was made for a time more than five minutes away, so somebody may be sending a webhook again.',
    cure: 'Let the service send the webhook anew. If all are refused, set the clock of the machine of the agent.',
  },
  'webhook.too_large': {
    code: 'PT-6103',
    ...refused,
    http: 413,
    title: 'Webhook is too large to be checked',
    cause: 'Its body is longer than the 1 MiB that the agent keeps while it checks a signature.',
    cure: 'Let the service send less, or use a tunnel without webhooks and check in your program.',
  },
  'webhook.busy': {
    code: 'PT-6104',
    http: 503,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Too many webhooks are under way',
    cause:
      'The agent keeps at most 64 MiB of unfinished webhooks, and this one was of the tunnel, network or address that has most.',
    cure: 'Send the webhook again in a moment. If it lasts, somebody sends many bodies that do not end: see who in the inspector.',
  },
} as const satisfies Record<string, ErrorEntry>

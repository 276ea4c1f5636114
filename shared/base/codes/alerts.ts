/** PT-28nn: alerts and who hears of them. */
import type { ErrorEntry } from '../errors.ts'

/** What operators are told of; no call is answered with these. */
const told = { http: 500, exit: 1, retry: 'later', owner: 'operator' } as const

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
  'alert.relay': {
    code: 'PT-2806',
    ...told,
    title: 'Relay is silent',
    cause:
      'A relay has reported nothing for three minutes or more. Tunnels that it alone served are unreachable; agents of the others have gone to the relays that are left.',
    cure: 'Look at its machine, its network and its log, and start it again. If it is gone for good, nothing needs to be done: it is forgotten after a week.',
  },
  'alert.jobs_dead': {
    code: 'PT-2807',
    ...told,
    title: 'Jobs have given up',
    cause: 'Jobs have failed at every try and are tried no more, so what they were for has not happened.',
    cure: 'Remove the cause that their last failure names. Then have them tried again or drop them, on the page System of the console or by ptunctl jobs.',
  },
  'alert.job_failing': {
    code: 'PT-2808',
    ...told,
    title: 'A job of the service fails',
    cause: 'A job that runs again and again has failed at six tries in a row.',
    cure: 'The code beside its name says why. The log has every try with what went wrong.',
  },
  'alert.disk': {
    code: 'PT-2809',
    ...told,
    title: 'The disk is nearly full',
    cause:
      'The disk of the data folder has less than a tenth, or less than 1 GiB, left. When it is full nothing can be stored.',
    cure: 'Make room: remove old backups and logs, or move the data folder to a larger disk.',
  },
  'alert.silent': {
    code: 'PT-2810',
    ...told,
    title: 'Nobody looks at the service',
    cause:
      'The look at the service, which makes the alerts of operators, has not happened for a quarter of an hour or fails. Whatever is wrong meanwhile is told to nobody.',
    cure: 'Look in the log for the job service.look. In the cloud, see whether Cloud Scheduler calls the function onSchedule every minute.',
  },
  'alert.errors': {
    code: 'PT-2811',
    ...told,
    owner: 'user',
    title: 'Visitors get errors',
    cause: 'The program behind the tunnel answers with errors (a status from 500 on) or not at all.',
    cure: 'Look at its log. The tunnel’s charts show when it began and which codes visitors met. The rule of this alert has the share from which on you are told.',
  },
  'alert.slow': {
    code: 'PT-2812',
    ...told,
    owner: 'user',
    title: 'Answers are slow',
    cause:
      'The program behind the tunnel, or the way to it, takes longer than the rule of this alert allows.',
    cure: 'The tunnel’s charts show since when. Look at the load of its machine, and at the round trip of its agents.',
  },
} as const satisfies Record<string, ErrorEntry>

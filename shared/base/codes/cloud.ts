/** PT-52xx: the cloud platform (functions/platform), its emulators, and the tools that operate it. */
import type { ErrorEntry } from '../errors.ts'

export const cloudCodes = {
  'bus.unavailable': {
    code: 'PT-5220',
    http: 503,
    exit: 1,
    retry: 'later',
    owner: 'service',
    title: 'Pub/Sub does not take the message',
    cause: 'Pub/Sub did not answer within two seconds, or refused the message.',
    cure: 'Nothing is lost: the change is stored, and relays fetch it within 30 s. If it lasts, look at the status of Pub/Sub, and whether the topic exists and the service account may publish to it.',
  },
  'bus.subscription': {
    code: 'PT-5221',
    http: 503,
    exit: 1,
    retry: 'later',
    owner: 'operator',
    title: 'Subscription not there',
    cause: 'The Pub/Sub subscription that messages come by was deleted or never made, or may not be read.',
    cure: 'Apply the infrastructure again, which makes it. Until then commands arrive by sync within 30 s; listening goes on by itself once it is there.',
  },
  'bus.poison': {
    code: 'PT-5222',
    http: 500,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'Message given up',
    cause: 'A message failed at every delivery, so it was put aside where it blocks nobody.',
    cure: 'Look at it with `npm run dead-letters -w functions -- list`, mend the reason, then replay or drop it.',
  },
  'dead_letter.missing': {
    code: 'PT-5223',
    http: 404,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'No such dead letter',
    cause: 'No message with this id is among the dead letters that could be read.',
    cure: 'Run `list` for the ids there are. One that was shown a moment ago may be held by another run of this tool for up to a minute.',
  },
} as const satisfies Record<string, ErrorEntry>

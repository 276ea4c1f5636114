/** PT-609x: the inspector of a running agent (docs/inspector.md). */
import type { ErrorEntry } from '../errors.ts'

const wish = { exit: 1, retry: 'never', owner: 'user' } as const

export const inspectorCodes = {
  'inspector.port': {
    code: 'PT-6090',
    http: 409,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Port of the inspector cannot be used',
    cause: 'The inspector could not listen on the port that was asked for.',
    cure: 'End what uses that port, give another one (--inspect 4050), or go without (--no-inspect).',
  },
  'inspector.gone': {
    code: 'PT-6091',
    http: 404,
    ...wish,
    title: 'Request is not kept',
    cause: 'There never was a request of this number, or newer ones have taken its place.',
    cure: 'Pin requests that you want to keep. Send this one again from where it came from.',
  },
  'inspector.replay': {
    code: 'PT-6092',
    http: 422,
    ...wish,
    title: 'Request cannot be sent again',
    cause:
      'Only a request that was kept whole can be sent again, and what was changed in it must be valid HTTP.',
    cure: 'Do what the message says: correct what you changed, write a body, or have the request sent anew.',
  },
  'inspector.busy': {
    code: 'PT-6093',
    http: 429,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Too many requests are being sent again',
    cause: 'A hundred repeated requests wait for their answers.',
    cure: 'Wait until they are answered, a minute at most, then try again.',
  },
  'inspector.pins': {
    code: 'PT-6094',
    http: 409,
    ...wish,
    title: 'Too much is pinned',
    cause: 'Pinned requests fill half of what the inspector may keep, and new ones need the other half.',
    cure: 'Unpin some, or save them as a HAR file first.',
  },
  'inspector.stranger': {
    code: 'PT-6095',
    http: 403,
    exit: 1,
    retry: 'never',
    owner: 'peer',
    title: 'Only the page of the inspector may ask this',
    cause: 'The call came from another web page, or under a name that is not this machine.',
    cure: 'Open the link that ptun prints, or run ptun inspect.',
  },
  'inspector.none': {
    code: 'PT-6096',
    http: 404,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'No inspector is running',
    cause: 'No agent of yours runs on this machine, or all were started with --no-inspect.',
    cure: 'Start a tunnel, for example: ptun http 3000.',
  },
  'inspector.link': {
    code: 'PT-6097',
    http: 401,
    exit: 1,
    retry: 'never',
    owner: 'user',
    title: 'The link of the inspector is needed',
    cause:
      'Only the link that ptun printed opens the inspector, so that other users of this machine see nothing. It is new each time ptun starts.',
    cure: 'Run ptun inspect, press i in the live view of ptun, or open the link that ptun printed.',
  },
} as const satisfies Record<string, ErrorEntry>

/** PT-53nn: what ptunctl, the operator's tool, cannot do, and what the control plane refuses it. */
import type { ErrorEntry } from '../errors.ts'

const byHand = { http: 400, retry: 'never', owner: 'operator' } as const

export const operatorCodes = {
  'operator.input': {
    code: 'PT-5301',
    ...byHand,
    exit: 2,
    title: 'Request not understood',
    cause: 'ptunctl asked for something that the control plane does not understand.',
    cure: 'Correct what the detail names. If the server is of another release, use the ptunctl of that release.',
  },
  'operator.usage': {
    code: 'PT-5302',
    ...byHand,
    exit: 2,
    title: 'Command line not understood',
    cause: 'The command line of ptunctl is incomplete, or has something that it does not know.',
    cure: 'Run "ptunctl --help", or add "--help" to a command.',
  },
  'operator.missing': {
    code: 'PT-5303',
    ...byHand,
    http: 404,
    exit: 1,
    title: 'Nothing has this name',
    cause:
      'No cell, relay, account, person, job, key, flag or invite has the id, name or address that was given.',
    cure: 'Look it up: on the operator pages of the console, or by ptunctl cells list, relays list, accounts find, jobs dead, keys list, flags list, invites list.',
  },
  'operator.exists': {
    code: 'PT-5304',
    ...byHand,
    http: 409,
    exit: 1,
    title: 'It exists already',
    cause: 'What should be created exists already.',
    cure: 'Choose another id, or change the one that exists.',
  },
  'operator.ambiguous': {
    code: 'PT-5305',
    ...byHand,
    http: 409,
    exit: 1,
    title: 'Several users have this address',
    cause: 'Several users have this e-mail address: each way of signing in may have its own.',
    cure: 'Name the user by id (usr_…); ptunctl accounts find shows the ids.',
  },
  'operator.busy': {
    code: 'PT-5306',
    ...byHand,
    http: 409,
    exit: 1,
    retry: 'now',
    title: 'Changed by another process',
    cause: 'The signing keys were changed by another process at the same moment.',
    cure: 'Look at "ptunctl keys list", and try again if it is still needed.',
  },
  'operator.nowhere': {
    code: 'PT-5307',
    ...byHand,
    exit: 2,
    title: 'No control plane here',
    cause: 'There is no data folder of a standalone server here, and no project of Google Cloud is named.',
    cure: 'Name the data folder with --data, or the project with GOOGLE_CLOUD_PROJECT and the other variables of the functions (docs/cloud.md).',
  },
  'operator.unreachable': {
    code: 'PT-5308',
    ...byHand,
    http: 503,
    exit: 1,
    retry: 'later',
    title: 'The server runs but does not answer',
    cause:
      'A server uses the data folder but does not answer at the socket in it: it is starting or stopping, is an older release, or the path is too long for a socket.',
    cure: 'Try again in some seconds. If that does not help, update the server, or stop it: ptunctl then works on the folder directly.',
  },
  'operator.unexpected': {
    code: 'PT-5309',
    ...byHand,
    exit: 1,
    retry: 'later',
    title: 'ptunctl met an error that it does not know',
    cause:
      'Something that ptunctl called failed in a way that it has no words for. The act may have been done or not.',
    cure: 'Look whether it was done (ptunctl audit list), and try again. If it fails again, report it with the lines that begin with "at".',
  },
} as const satisfies Record<string, ErrorEntry>

/** PT-29nn: agents as a whole, whatever they serve. */
import type { ErrorEntry } from '../errors.ts'

export const agentCodes = {
  'agent.stopped': {
    code: 'PT-2900',
    http: 409,
    // Service managers do not start it again on this one: another agent's tunnel and this are the same to them.
    exit: 5,
    retry: 'never',
    owner: 'user',
    title: 'Agent was stopped from afar',
    cause:
      'A member of the account stopped this agent in the console or by the API. It ends, and it does not come back by itself.',
    cure: 'Start it again on its machine: the command that you used before, or the service manager. The audit log of the account names who stopped it.',
  },
} as const satisfies Record<string, ErrorEntry>

/** PT-532n: why a release (`npm run release`) did not start, or stopped. */
import type { ErrorEntry } from '../errors.ts'

const stopped = { http: 500, exit: 1, retry: 'never', owner: 'operator' } as const

export const releaseCodes = {
  'release.usage': {
    code: 'PT-5320',
    ...stopped,
    exit: 2,
    title: 'Command line of the release not understood',
    cause: 'The command line of npm run release lacks something, or has something that it does not know.',
    cure: 'Run "npm run release -- --help".',
  },
  'release.checkout': {
    code: 'PT-5321',
    ...stopped,
    title: 'This checkout may not be released',
    cause:
      'The checkout has changes that are not committed, its commit is not on the main branch, or CI has not passed for it.',
    cure: 'Commit, push to main, wait until CI has passed, and release from a clean checkout of that commit.',
  },
  'release.under_way': {
    code: 'PT-5322',
    ...stopped,
    title: 'Another release is not finished',
    cause: 'A release of this environment was begun and is neither finished nor rolled back.',
    cure: 'If nobody runs it any more, continue it with --resume from a checkout of its commit, or undo it with --rollback.',
  },
  'release.command': {
    code: 'PT-5323',
    ...stopped,
    retry: 'now',
    title: 'A command of the release failed',
    cause: 'A program that the release runs ended with an error, took too long, or is not installed.',
    cure: 'The detail has the command and its last words. Mend the reason, then continue with --resume, or undo with --rollback.',
  },
  'release.destroys': {
    code: 'PT-5324',
    ...stopped,
    title: 'The plan would destroy something',
    cause: 'Terraform would delete or replace resources that a release does not usually replace.',
    cure: 'Read the list. If it is meant, release again with --allow-destroy; otherwise change the stack.',
  },
  'release.watch': {
    code: 'PT-5325',
    ...stopped,
    title: 'The new version does worse',
    cause: 'Calls to the new version failed more often, or took longer, than a release may.',
    cure: 'The release was rolled back. Look at the logs of the revision that the detail names, mend it, release again.',
  },
  'release.nothing_before': {
    code: 'PT-5326',
    ...stopped,
    title: 'There is nothing to go back to',
    cause: 'The environment has no record of an earlier release.',
    cure: 'Mend the fault and release again: continue with --resume, or start anew with --abandon.',
  },
  'release.differs': {
    code: 'PT-5327',
    ...stopped,
    title: 'Not the release that was begun',
    cause: 'The checkout or its archives are not those of the release that shall be continued.',
    cure: 'Check out the commit that the detail names, run npm ci, and continue with --resume; or undo with --rollback.',
  },
  'release.relay': {
    code: 'PT-5328',
    ...stopped,
    retry: 'later',
    title: 'A relay VM did not come back',
    cause: 'A relay VM was replaced, and its relays did not become ready in time.',
    cure: 'The release was rolled back. The serial console of the VM has what its start-up script said.',
  },
  'release.answer': {
    code: 'PT-5329',
    ...stopped,
    title: 'A program answered in an unknown form',
    cause: 'A program that the release runs printed something that the release does not understand.',
    cure: 'Compare the version of the program that the detail names with the one in docs/release.md.',
  },
  'release.smoke': {
    code: 'PT-5330',
    ...stopped,
    title: 'No tunnel works',
    cause: 'A tunnel was opened to try the new version, and no visitor got through it.',
    cure: 'The release was rolled back. The detail has what ptun or the visitor met.',
  },
  'release.taken_over': {
    code: 'PT-5331',
    ...stopped,
    title: 'Another run has taken this release over',
    cause:
      'Somebody continued, undid or abandoned this release with --resume, --rollback or --abandon while this run was working on it, or did so in the same moment. This run has stopped; the other one goes on.',
    cure: 'Leave it to the other run. When that has ended, look how the release stands: if it is not finished, continue with --resume or undo it with --rollback.',
  },
  'release.database': {
    code: 'PT-5332',
    ...stopped,
    title: 'The other version works on another database',
    cause:
      'The database was restored into a new one since, by hand, and the version that calls would go to works on another database than the one that serves now. Moving calls there would lose from sight what was written since.',
    cure: 'To go back in code alone, release an older commit whose environment names the database that serves now ("database" in cdktf/environments). To change the database, follow npm run cloud:recover. --abandon ends a release that is under way.',
  },
} as const satisfies Record<string, ErrorEntry>

/** A release is a commit of the main branch that CI has passed, and nothing beside it. */
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { ask, type Command, type Run } from '../command.ts'
import type { Step } from '../release.ts'

const workflow = 'ci.yml'
const runsSchema = z.array(z.object({ status: z.string(), conclusion: z.string(), url: z.string() }))

/** @returns the commit of the checkout */
export async function commitOf(run: Run): Promise<string> {
  return (await run({ program: 'git', args: ['rev-parse', 'HEAD'], why: 'which commit this is' })).trim()
}

export const checkout: Step = {
  name: 'checkout',
  title: 'The checkout is clean, on main, and CI has passed',
  // What is released is what is here.
  neededUntil: 'web',
  async run({ run, state, environment, say }) {
    const changed = await run({
      program: 'git',
      args: ['status', '--porcelain', '--untracked-files=normal'],
      why: 'whether anything is not committed',
    })
    // A step of this release writes it with the hosts of the environment.
    const others = changed.split('\n').filter((line) => line !== '' && !line.endsWith(' firebase.json'))
    if (others.length > 0) throw fail('release.checkout', `Not committed: ${others.slice(0, 5).join(', ')}`)
    const commit = await commitOf(run)
    if (commit !== state.commit)
      throw fail('release.differs', `This is commit ${commit}, and the release is of ${state.commit}`)
    const fetch = ['fetch', '--quiet', 'origin', 'main']
    // A checkout without credentials has main as it was: a commit that was on it then will do.
    if (!(await succeeds(run, { program: 'git', args: fetch, why: 'what main is now' })))
      say('main could not be fetched, so it is taken as it is known here')
    const isOnMain = await succeeds(run, {
      program: 'git',
      args: ['merge-base', '--is-ancestor', commit, 'origin/main'],
      why: 'whether the commit is on main',
    })
    if (!isOnMain) throw fail('release.checkout', `Commit ${commit} is not on main`)
    const runs = await ask(run, runsSchema, {
      program: 'gh',
      args: [
        'run',
        'list',
        `--repo=${environment.repository}`,
        `--workflow=${workflow}`,
        // Not what a pull request's own copy of the workflow says.
        '--event=push',
        '--branch=main',
        `--commit=${commit}`,
        '--json=status,conclusion,url',
      ],
      why: 'what CI says to it',
    })
    if (!runs.some(({ conclusion }) => conclusion === 'success'))
      throw fail('release.checkout', `CI has not passed for ${commit}: ${runs[0]?.url ?? 'it has not run'}`)
  },
}

async function succeeds(run: Run, command: Command): Promise<boolean> {
  try {
    await run(command)
    return true
  } catch (error) {
    if (isFailure(error, 'release.command')) return false
    throw error
  }
}

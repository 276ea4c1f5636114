/**
 * Runs once before the end-to-end tests: builds console, relay and agent as users have them, so that every test serves
 * and starts the newest ones, whichever test comes first.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const cwd = join(import.meta.dirname, '..')

export async function setup(): Promise<void> {
  // Two parallel runs must not both write them: e2e/run.ts has done it.
  if (process.env.PT_BUILT) return
  const build = (workspace: string) =>
    promisify(execFile)('npm', ['run', '--silent', 'build', '-w', workspace], { cwd })
  await Promise.all(['web', 'relay-vm', 'cli'].map(build))
  // The processes of the tests, and their programs, use what was built.
  process.env.PT_BUILT = '1'
}

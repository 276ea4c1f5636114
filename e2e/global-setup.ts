/**
 * Runs once before the end-to-end tests: builds console and relay as `npm start` does, so that every test serves and
 * starts the newest ones, whichever test comes first.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export function setup(): void {
  // Two parallel runs must not both write it: e2e/run.ts has done it.
  if (process.env.PT_BUILT) return
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/**
 * Runs once before the end-to-end tests: console and relay are built as `npm start` builds them, so that what is
 * served and started is new, whichever test comes first.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export function setup(): void {
  // Two runs side by side must not both write it: e2e/run.ts has done it.
  if (process.env.PT_BUILT) return
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

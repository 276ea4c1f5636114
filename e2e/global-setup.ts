/**
 * Runs once before the end-to-end tests: the console is built as `npm start` builds it, so that what is
 * served is new.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export function setup(): void {
  // Two runs side by side must not both write it: e2e/run.ts has done it.
  if (process.env.PT_CONSOLE_BUILT) return
  execFileSync('npm', ['run', '--silent', 'build', '-w', 'web'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

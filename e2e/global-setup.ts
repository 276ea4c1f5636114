/**
 * Runs once before the end-to-end tests: the console is built as `npm start` builds it, so that what is
 * served is new.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build', '-w', 'web'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** `npm run build -w site`: builds the documentation beside the console, or says what leads nowhere. */
import { join } from 'node:path'
import process from 'node:process'
import { build } from './build.ts'

const root = join(import.meta.dirname, '..')
const problems = build({
  docs: join(root, 'docs'),
  output: join(root, 'web/dist/docs'),
  web: join(root, 'web'),
})
for (const problem of problems) process.stderr.write(`${problem}\n`)
if (problems.length > 0) process.exitCode = 1

/**
 * Adds up what the vitest runs of `npm test` left in a folder, names each test that failed, in one place at the end of
 * the output, or that passed only when it was run again, and prints the closing line of CI.
 * Usage: node e2e/count.ts <folder> <exit status of npm test>
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { z } from 'zod'

const testSchema = z.object({
  fullName: z.string(),
  status: z.string(),
  failureMessages: z.array(z.string()).nullable(),
})
const fileSchema = z.object({
  name: z.string(),
  status: z.string(),
  message: z.string(),
  assertionResults: z.array(testSchema),
})
const reportSchema = z.object({
  testResults: z.array(fileSchema),
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  success: z.boolean(),
})

const [folder = '.', status = '1'] = process.argv.slice(2)
const reports = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => reportSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
const sum = (count: (report: z.infer<typeof reportSchema>) => number) =>
  reports.reduce((total, report) => total + count(report), 0)

/** One line a test: its file, its name, and the first lines of its error, which say what was expected. */
function told(file: string, name: string, error: string): string {
  return `  ${relative(process.cwd(), file)} > ${name}\n${error.split('\n').slice(0, 4).join('\n').replaceAll(/^/gm, '      ')}\n`
}

const files = reports.flatMap(({ testResults }) => testResults)
const tests = files.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ file: name, ...test })),
)
const wentWrong = tests.flatMap(({ file, fullName, status, failureMessages }) =>
  failureMessages?.[0] ? [{ status, line: told(file, fullName, failureMessages[0]) }] : [],
)
const notLoaded = files.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
)
const named = [
  ...wentWrong.filter(({ status }) => status !== 'passed').map(({ line }) => line),
  ...notLoaded.map(({ name, message }) => told(name, '(the file)', message)),
]
const again = wentWrong.filter(({ status }) => status === 'passed').map(({ line }) => line)
if (named.length > 0) process.stdout.write(`\nfailed:\n${named.join('')}`)
if (again.length > 0)
  process.stdout.write(`\npassed only when run again, so to be looked at:\n${again.join('')}`)

const passed = sum(({ numPassedTests }) => numPassedTests)
const skipped = sum(({ numPendingTests }) => numPendingTests)
// A suite that does not load, or a failing check before the tests, counts as a failure although no test of it ran.
const unseen = status !== '0' || reports.some(({ success }) => !success) ? 1 : 0
const failed = Math.max(
  sum(({ numFailedTests }) => numFailedTests),
  unseen,
)
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

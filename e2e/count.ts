/**
 * Adds up what the vitest runs of `npm test` left in a folder and prints the closing line of CI.
 * Usage: node e2e/count.ts <folder> <exit status of npm test>
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const reportSchema = z.object({
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

const passed = sum(({ numPassedTests }) => numPassedTests)
const skipped = sum(({ numPendingTests }) => numPendingTests)
// A suite that does not load, or a check before the tests that fails, is a failure though no test of it ran.
const unseen = status !== '0' || reports.some(({ success }) => !success) ? 1 : 0
const failed = Math.max(
  sum(({ numFailedTests }) => numFailedTests),
  unseen,
)
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

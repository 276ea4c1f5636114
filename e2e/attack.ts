/** `npm run attack`: tries every attack of the list whose test is short, and prints which of them held. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { attacks } from './attacks.ts'
import { readOptions } from './harness/options.ts'

readOptions({
  name: 'attack',
  what: 'Tries every attack of e2e/attacks.ts whose test is short, and prints which of them held.',
  takes: 'Takes about two minutes; `npm test` tries the long ones.',
  options: {},
})

const root = join(import.meta.dirname, '..')
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
})

const short = attacks.filter(({ isLong }) => !isLong)
const folder = mkdtempSync(join(tmpdir(), 'pt-attack-'))
const report = join(folder, 'report.json')
const files = [...new Set(short.map(({ file }) => file))]
const args = ['run', '--project', 'unit', '--reporter=json', `--outputFile=${report}`, ...files]
spawnSync('vitest', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
const { testResults } = reportSchema.parse(JSON.parse(readFileSync(report, 'utf8')))
rmSync(folder, { recursive: true })

/** 'held' means that every test of the name passed; a skipped test, or none at all, shows nothing. */
function verdictOf(file: string, test: string): 'held' | 'NOT HELD' | 'not tried' {
  const results = testResults
    .filter(({ name }) => relative(root, name) === file)
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName }) => fullName.includes(test))
  if (results.some(({ status }) => status === 'failed')) return 'NOT HELD'
  return results.some(({ status }) => status === 'passed') ? 'held' : 'not tried'
}

const verdicts = short.map((attack) => ({ ...attack, verdict: verdictOf(attack.file, attack.test) }))
for (const { name, tried, verdict } of verdicts)
  process.stdout.write(`${verdict.padEnd(9)}  ${name}\n           tried: ${tried}\n`)
for (const { name, file } of attacks.filter(({ isLong }) => isLong))
  process.stdout.write(`npm test   ${name} (${file})\n`)
const failed = verdicts.filter(({ verdict }) => verdict !== 'held').length
process.stdout.write(`\n${verdicts.length - failed} attacks held, ${failed} did not or were not tried\n`)
process.exitCode = failed > 0 ? 1 : 0

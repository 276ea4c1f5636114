/**
 * `npm run disaster -- --drill all`: loses a part of a running service under visitors, brings it back as
 * docs/disaster.md says, and writes how long that took into its table. A drill that finds something other than
 * promised fails.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { readOptions } from '../harness/options.ts'
import { root } from '../harness/programs.ts'
import type { Drill, DrillResult } from './drill.ts'
import { loseServer } from './server.ts'

const drills: Readonly<Record<string, Drill>> = {
  server: loseServer,
}

const { drill: wanted, 'no-table': isSilent } = readOptions({
  name: 'disaster',
  what: 'Loses a part of a running service under visitors and brings it back; writes the times into docs/disaster.md.',
  takes: 'Takes about a minute.',
  options: {
    drill: { type: 'string', default: 'all', value: Object.keys(drills).join('|'), says: 'which one' },
    'no-table': { type: 'boolean', default: false, says: 'leave the table as it is' },
  },
})
const names = wanted === 'all' ? Object.keys(drills) : [wanted]
const results: DrillResult[] = []
for (const name of names) {
  const drill = drills[name]
  if (!drill) throw new Error(`no drill "${name}": ${Object.keys(drills).join(', ')}`)
  process.stdout.write(`${name}: `)
  const result = await drill()
  process.stdout.write(`${seconds(result.rtoMs)}; ${result.seen}\n`)
  results.push(result)
}
if (wanted === 'all' && !isSilent) writeTable(results)

function writeTable(rows: readonly DrillResult[]): void {
  const path = join(root, 'docs/disaster.md')
  const cells = rows.map(({ lost, rpo, rtoMs, seen }) => `| ${lost} | ${rpo} | ${seconds(rtoMs)} | ${seen} |`)
  const machine = `On a machine with ${availableParallelism()} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.`
  const table = ['| lost | RPO | RTO | what was seen |', '|---|---|---|---|', ...cells, '', machine].join(
    '\n',
  )
  const text = readFileSync(path, 'utf8')
  const shape = /(<!-- measured -->\n)[\s\S]*?(<!-- \/measured -->)/
  if (!shape.test(text)) throw new Error(`${path} has no place for the table`)
  writeFileSync(path, text.replace(shape, `$1\n${table}\n\n$2`))
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

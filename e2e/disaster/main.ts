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
import { loseCell } from './cell.ts'
import { loseDatabase } from './database.ts'
import { loseDnsProvider } from './dns.ts'
import type { Drill, DrillResult } from './drill.ts'
import { holdMessages } from './held-messages.ts'
import { loseKey } from './key.ts'
import { loseMessages, loseSubscription } from './pubsub.ts'
import { loseServer } from './server.ts'
import { loseStripe, loseStripeEvents, loseStripeKey, restoreOlderThanStripe } from './stripe.ts'

const drills: Readonly<Record<string, Drill>> = {
  server: loseServer,
  database: loseDatabase,
  key: loseKey,
  cell: loseCell,
  dns: loseDnsProvider,
  pubsub: holdMessages,
  subscription: loseSubscription,
  letters: loseMessages,
  stripe: loseStripe,
  'stripe-events': loseStripeEvents,
  'stripe-key': loseStripeKey,
  'stripe-restore': restoreOlderThanStripe,
}

const { drill: wanted, 'no-table': isSilent } = readOptions({
  name: 'disaster',
  what: 'Loses a part of a running service under visitors and brings it back; writes the times into docs/disaster.md.',
  takes:
    'Takes about twelve minutes, most of it for the cell; database, subscription and letters need Java and Google’s emulators.',
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
if (!isSilent) writeTable(results)

/** Rows of drills that were not run stay. */
function writeTable(fresh: readonly DrillResult[]): void {
  const path = join(root, 'docs/disaster.md')
  const text = readFileSync(path, 'utf8')
  const [, before] = /<!-- measured -->\n([\s\S]*?)<!-- \/measured -->/.exec(text) ?? []
  if (before === undefined) throw new Error(`${path} has no place for the table`)
  const rows = new Map(
    before.split('\n').flatMap((row) => (/^\| (?!lost)/.test(row) ? [[lossOf(row), row]] : [])),
  )
  for (const { lost, rpo, rtoMs, seen } of fresh)
    rows.set(lost, `| ${lost} | ${rpo} | ${seconds(rtoMs)} | ${seen} |`)
  const machine = `On a machine with ${availableParallelism()} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.`
  const table = ['| lost | RPO | RTO | what was seen |', '|---|---|---|---|', ...rows.values(), '', machine]
  writeFileSync(path, text.replace(before, `\n${table.join('\n')}\n\n`))
}

/** What its first cell names. */
function lossOf(row: string): string {
  return row.split('|')[1]?.trim() ?? ''
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

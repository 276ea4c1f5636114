/**
 * Writes firestore.indexes.json, which is deployed with the functions, from the one table of declared queries and the
 * list of collections whose documents expire. Run by `npm run docs`; a test compares, for the emulator answers
 * queries without their index and Firestore itself does not.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Query } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'

/** Firestore deletes their documents some time after `ttl`. A test finds them in the types of the documents. */
export const expiring = [
  'audit',
  'commands',
  'deletedTunnels',
  'deviceCodes',
  'enrolmentKeys',
  'idempotency',
  'jobs',
  'names',
  'rates',
  'sealLeaves',
  'stripeEvents',
  'usageHours',
]

/** Long lists that no query asks for: every element would be an entry of an index. */
const unindexed = [
  ['sealLeaves', 'ids'],
  ['sealLeaves', 'leaves'],
] as const

const file = join(import.meta.dirname, 'firestore.indexes.json')

/** The file's text. */
export function indexesText(): string {
  const indexes = new Map(
    queryTable.filter(needsIndex).map((query) => [JSON.stringify(index(query)), index(query)]),
  )
  const expiry = expiring.map((name) => ({
    collectionGroup: name,
    fieldPath: 'ttl',
    ttl: true,
    // Nothing asks for it, and an index on a rising time is where all writes of a collection would meet.
    indexes: [],
  }))
  const exempt = unindexed.map(([collectionGroup, fieldPath]) => ({
    collectionGroup,
    fieldPath,
    indexes: [],
  }))
  const fieldOverrides = [...expiry, ...exempt]
  return `${JSON.stringify({ indexes: [...indexes.values()], fieldOverrides }, undefined, 2)}\n`
}

/** One field alone has its index by itself. The id comes last in every index, in the direction of the field before. */
function needsIndex({ equals }: Query): boolean {
  return equals.length > 0
}

function index({ collection, equals, order, direction }: Query) {
  return {
    collectionGroup: collection,
    queryScope: 'COLLECTION',
    fields: [
      ...equals.map((fieldPath) => ({ fieldPath, order: 'ASCENDING' })),
      { fieldPath: order, order: direction === 'ascending' ? 'ASCENDING' : 'DESCENDING' },
    ],
  }
}

if (import.meta.main) writeFileSync(file, indexesText())

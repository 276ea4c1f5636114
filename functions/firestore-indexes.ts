/**
 * Writes firestore.indexes.json, which is deployed with the functions, from the one table of declared queries and the
 * list of collections whose documents expire. `npm run docs` runs it; a test compares, because the emulator runs
 * queries without their index and Firestore itself does not.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Query } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'

/** Firestore deletes their documents some time after `ttl`. A test finds them in the types of the documents. */
export const expiring = [
  'abuseCases',
  'activityDays',
  'addressChanges',
  'alerts',
  'audit',
  'auditExportParts',
  'auditExports',
  'certificateBudgets',
  'commands',
  'connections',
  'deletedTunnels',
  'deviceCodes',
  'endedSignIns',
  'enrolmentKeys',
  'feedback',
  'goneMonths',
  'idempotency',
  'identities',
  'invitations',
  'invites',
  'jobs',
  'mailAddresses',
  'meterReports',
  'names',
  'rates',
  'sealLeaves',
  'serviceDays',
  'serviceMonths',
  'signIns',
  'spentChallenges',
  'stripeEvents',
  'trials',
  'usageHours',
  'usageLate',
  'usageMonths',
  'usagePeriods',
  'waitList',
  'webhookDeliveries',
]

/**
 * Maps, lists and packed series: no query uses them, and Firestore would index each entry, thousands in a write, and
 * refuse documents beyond 40,000. A test finds maps and lists in the types of the documents.
 */
export const unindexed: readonly (readonly [collection: string, field: string])[] = [
  ['abuseCases', 'reports'],
  ['accounts', 'granted'],
  ['accounts', 'factorPolicy'],
  ['accounts', 'leaving'],
  ['accounts', 'overrides'],
  ['activityDays', 'active'],
  ['activityDays', 'cohorts'],
  ['alertRules', 'rules'],
  ['alertRules', 'windows'],
  ['alerts', 'timeline'],
  ['auditExportParts', 'text'],
  ['auditTallies', 'sources'],
  ['bound', 'detached'],
  ['bound', 'endpoints'],
  ['bound', 'epochs'],
  ['cells', 'addresses'],
  ['certificates', 'chain'],
  ['certificates', 'csr'],
  ['certificates', 'hosts'],
  ['certificates', 'wrappedKey'],
  ['commands', 'body'],
  ['connections', 'packed'],
  ['deletedTunnels', 'formerCells'],
  ['deviceCodes', 'granted'],
  ['deviceCodes', 'scopes'],
  ['domains', 'findings'],
  ['domains', 'nameServers'],
  ['endpoints', 'holders'],
  ['endpoints', 'stopped'],
  ['factors', 'app'],
  ['factors', 'codes'],
  ['factors', 'nextApp'],
  ['factors', 'recovery'],
  ['feedback', 'attached'],
  ['feedback', 'text'],
  ['flags', 'states'],
  ['goneMonths', 'counts'],
  ['invites', 'accounts'],
  ['jobs', 'body'],
  ['jobs', 'progress'],
  ['keys', 'scopes'],
  ['keys', 'tunnels'],
  ['mailAddresses', 'off'],
  ['names', 'cells'],
  ['operatorNotes', 'text'],
  ['operatorViews', 'reads'],
  ['passkeys', 'transports'],
  ['proxyNetworks', 'networks'],
  ['relays', 'agentAddress'],
  ['relays', 'load'],
  ['relays', 'proxies'],
  ['relays', 'starts'],
  ['sealLeaves', 'ids'],
  ['sealLeaves', 'leaves'],
  ['serviceDays', 'plans'],
  ['serviceDays', 'talkers'],
  ['serviceMonths', 'plans'],
  ['signInPlaces', 'seen'],
  ['subscriptions', 'asked'],
  ['subscriptions', 'closing'],
  ['subscriptions', 'drift'],
  ['subscriptions', 'lastPeriod'],
  ['subscriptions', 'moving'],
  ['subscriptions', 'next'],
  ['subscriptions', 'timeline'],
  ['tunnels', 'formerCells'],
  ['tunnels', 'refused'],
  ['tunnels', 'takenDown'],
  ['tunnels', 'names'],
  ['usageHours', 'answers'],
  ['usageHours', 'codes'],
  ['usageHours', 'minutes'],
  ['usageHours', 'open'],
  ['usageHours', 'times'],
  ['usageLate', 'hours'],
  ['usageMonths', 'answers'],
  ['usageMonths', 'codes'],
  ['usageMonths', 'hours'],
  ['usageMonths', 'open'],
  ['usageMonths', 'times'],
  ['usagePeriods', 'answers'],
  ['usagePeriods', 'codes'],
  ['usagePeriods', 'hours'],
  ['usagePeriods', 'lateHours'],
  ['usagePeriods', 'open'],
  ['usagePeriods', 'times'],
  ['users', 'leaving'],
  ['users', 'former'],
  ['users', 'providers'],
  ['users', 'terms'],
  ['users', 'termsTold'],
  ['webhookDeliveries', 'body'],
  ['webhooks', 'secrets'],
  // Long texts, and numbers that only rise.
  ['audit', 'body'],
  ['audit', 'leaf'],
  ['audit', 'salt'],
  ['endpoints', 'epoch'],
  ['endpoints', 'leasedAt'],
  ['endpoints', 'releasedAt'],
  ['endpoints', 'servedAt'],
  ['idempotency', 'body'],
  ['signingKeys', 'public'],
  ['signingKeys', 'wrappedPrivate'],
  ['tunnels', 'edits'],
  ['tunnels', 'tags'],
  ['tunnels', 'policy'],
]

const file = join(import.meta.dirname, 'firestore.indexes.json')

/** The file's text. */
export function indexesText(): string {
  const indexes = new Map(
    queryTable.filter(needsIndex).map((query) => [JSON.stringify(index(query)), index(query)]),
  )
  const mortal = expiring.map((name) => ({
    collectionGroup: name,
    fieldPath: 'ttl',
    ttl: true,
    // No query uses it, and all writes of a collection would meet in an index on a rising time.
    indexes: [],
  }))
  const unasked = unindexed.map(([collectionGroup, fieldPath]) => ({
    collectionGroup,
    fieldPath,
    indexes: [],
  }))
  const text = { indexes: [...indexes.values()], fieldOverrides: [...mortal, ...unasked] }
  return `${JSON.stringify(text, undefined, 2)}\n`
}

/** A single field has its own index. The id comes last in every index, in the direction of the field before. */
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

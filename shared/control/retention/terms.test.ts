/** Every collection has a row of retention, and the rows say what the code does. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { collectionsIn } from '../../testing/collections.ts'
import { partsOfAccounts } from '../own-data/of-accounts.ts'
import { partsOfPeople } from '../own-data/of-people.ts'
import { terms } from './terms.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const texts = globSync('{shared,standalone,functions}/**/*.ts', {
  cwd: root,
  exclude: ['**/node_modules/**', '**/*.test.ts', '**/testing/**'],
}).map((path) => readFileSync(join(root, path), 'utf8'))

test('every collection that the code declares has a row in terms.ts, and no other', () => {
  expect(Object.keys(terms).toSorted()).toEqual(collectionsIn(texts))
})

const indexesSchema = z.object({
  fieldOverrides: z.array(z.object({ collectionGroup: z.string(), ttl: z.boolean().optional() })),
})

test('what the store deletes by its ttl is what the table says, as Firestore gets it', () => {
  const file = JSON.parse(readFileSync(join(root, 'functions/firestore.indexes.json'), 'utf8'))
  const { fieldOverrides } = indexesSchema.parse(file)
  const expiring = fieldOverrides.filter(({ ttl }) => ttl).map(({ collectionGroup }) => collectionGroup)
  const said = Object.entries(terms).filter(([, { endsBy }]) => endsBy === 'ttl')
  const local = ['refreshTokens', 'passwordResets', 'knownDevices', 'signInAttempts', 'signInFailures']
  // An erased person's way of signing in and a ttl that is set late: they end by erasure first.
  const later = ['identities']
  const names = said.map(([name]) => name).filter((name) => !local.includes(name))
  expect([...names, ...later].toSorted()).toEqual(expiring.toSorted())
})

test('everything that is exported is kept by a legal hold, but sessions and links', () => {
  const exported = [...partsOfAccounts, ...partsOfPeople].map(({ name }) => name)
  const loose = [...new Set(exported)].filter((name) => !terms[name]?.isHeld)
  expect(loose.toSorted()).toEqual(['addressChanges', 'signIns'])
})

test('what expires by its time and is said to be held is what a hold can move: all of it is in an export', () => {
  const exported = new Set([...partsOfAccounts, ...partsOfPeople].map(({ name }) => name))
  const moved = Object.entries(terms).filter(([, { isHeld, endsBy }]) => isHeld && endsBy === 'ttl')
  expect(moved.map(([name]) => name).filter((name) => !exported.has(name))).toEqual([])
})

/** What is deployed to Firestore fits the code: the emulator would not notice when it does not. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { queries } from '@porttunneler/shared/control/query-table'
import { expect, test } from 'vitest'
import { expiring, indexesText } from './firestore-indexes.ts'

test('firestore.indexes.json is what the declared queries need; `npm run docs` writes it', () => {
  expect(readFileSync(join(import.meta.dirname, 'firestore.indexes.json'), 'utf8')).toBe(indexesText())
})

test('a query finds its equalities first and its order last in an index', () => {
  const { indexes } = JSON.parse(indexesText())
  expect(indexes).toContainEqual({
    collectionGroup: queries.keysOfAccount.collection,
    queryScope: 'COLLECTION',
    fields: [
      { fieldPath: 'account', order: 'ASCENDING' },
      { fieldPath: 'revokedAt', order: 'ASCENDING' },
      { fieldPath: 'createdAt', order: 'DESCENDING' },
    ],
  })
})

test('every collection whose documents have a ttl expires in Firestore, and no other', () => {
  const folder = join(import.meta.dirname, '..', 'shared', 'control')
  const code = globSync('*.ts', { cwd: folder }).map((name) => readFileSync(join(folder, name), 'utf8'))
  const mortal = new Set(
    code.flatMap((text) => [...text.matchAll(/type (\w+) = \{([^}]*)\}/g)]).flatMap(mortalType),
  )
  const collections = code.flatMap((text) => [...text.matchAll(/ollection<(\w+)>\('(\w+)'\)/g)])
  const found = collections.filter(([, type = '']) => mortal.has(type)).map(([, , name]) => name)
  expect(found.length).toBeGreaterThan(3)
  expect(found.sort()).toEqual([...expiring].sort())
})

function mortalType([, name = '', fields = '']: readonly string[]): readonly string[] {
  return /readonly ttl\??: Date/.test(fields) ? [name] : []
}

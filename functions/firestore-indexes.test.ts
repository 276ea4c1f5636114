/** What is deployed to Firestore matches the code: the emulator would not notice a difference. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { queries, queryTable } from '@porttunneler/shared/control/query-table'
import { expect, test } from 'vitest'
import { expiring, indexesText, unindexed } from './firestore-indexes.ts'

test('firestore.indexes.json is what the declared queries need; `npm run docs` writes it', () => {
  expect(readFileSync(join(import.meta.dirname, 'firestore.indexes.json'), 'utf8')).toBe(indexesText())
})

test('an index has a query’s equalities first and its order last', () => {
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

const folder = join(import.meta.dirname, '..', 'shared', 'control')
const code = globSync('**/*.ts', { cwd: folder }).map((name) => readFileSync(join(folder, name), 'utf8'))
/** Collection -> the fields of its documents, as the types say; a collection may hold those of an older type too. */
const collections = new Map<string, Map<string, string>>()
for (const [, type = '', name = ''] of code.flatMap((text) => [
  ...text.matchAll(/ollection<(\w+)>\('(\w+)'\)/g),
]))
  collections.set(name, new Map([...(collections.get(name) ?? []), ...fieldsOf(type)]))

test('every collection whose documents have a ttl expires in Firestore, and no other', () => {
  const mortal = [...collections].filter(([, fields]) => fields.get('ttl') === 'Date').map(([name]) => name)
  expect(mortal.length).toBeGreaterThan(3)
  expect(mortal.sort()).toEqual([...expiring].sort())
})

test('no map and no list is indexed entry by entry', () => {
  const isLarge = (type: string) => type.startsWith('{') || type.startsWith('readonly') || type === 'Doc'
  const large = [...collections].flatMap(([name, fields]) =>
    [...fields].filter(([, type]) => isLarge(type)).map(([field]) => `${name}.${field}`),
  )
  expect(large.length).toBeGreaterThan(10)
  expect(unindexed.map(([name, field]) => `${name}.${field}`)).toEqual(expect.arrayContaining(large))
  for (const [name, field] of unindexed)
    expect(collections.get(name)?.has(field), `${name}.${field}`).toBe(true)
})

test('no query asks for a field without an index', () => {
  const asked = queryTable.flatMap(({ collection, equals, order }) =>
    [...equals, order].map((field) => `${collection}.${field}`),
  )
  expect(unindexed.map(([name, field]) => `${name}.${field}`).filter((one) => asked.includes(one))).toEqual(
    [],
  )
})

/** The outermost fields of a type, with the text of their types; nested braces are part of that text. */
function fieldsOf(type: string): ReadonlyMap<string, string> {
  const start = new RegExp(`type ${type} = (?:Partial<\\w+> & )?\\{`)
  const text = code.find((each) => start.test(each)) ?? ''
  const [head = ''] = start.exec(text) ?? []
  const fields = new Map<string, string>()
  let depth = 1
  let at = text.indexOf(head) + head.length
  const first = at
  for (; depth > 0 && at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}') depth--
    const [, name, shape] = (depth === 1 && /^readonly (\w+)\??: ([^;}\n]*)/.exec(text.slice(at))) || []
    if (name && (at === first || /[\s;{]/.test(text[at - 1] ?? ''))) fields.set(name, shape?.trim() ?? '')
  }
  const [, more] = /^ & (\w+)/.exec(text.slice(at)) ?? []
  return more === undefined ? fields : new Map([...fields, ...fieldsOf(more)])
}

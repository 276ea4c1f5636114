/**
 * What docs/security.md says is tested has a test: the attacks on people by name, the chapters of ASVS by file; and so
 * does what is promised to people (docs/decisions/0081-people-walked.md).
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Rows of the tables under a heading of a page, by cells, without their heads. */
function rowsUnder(heading: string, path = 'docs/security.md'): readonly (readonly string[])[] {
  const page = readFileSync(join(root, path), 'utf8')
  const [, after = ''] = page.split(`\n##${path === 'docs/security.md' ? '#' : ''} ${heading}\n`)
  const rows = (after.split('\n### ')[0] ?? '').split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('every test in the table of attacks on people is there, by its name', () => {
  const rows = rowsUnder('Attacks on people')
  expect(rows.length).toBeGreaterThan(20)
  expect(rows.filter(([, , named = '']) => !isThere(named))).toEqual([])
})

test('every promise to people names a test that is there', () => {
  const rows = rowsUnder('What is promised to people, and its test', 'docs/decisions/0081-people-walked.md')
  expect(rows.length).toBeGreaterThan(40)
  expect(rows.filter(([, named = '']) => !isThere(named))).toEqual([])
})

test('every rule of money names a test that is there', () => {
  const path = 'docs/decisions/0096-plans-and-money-finished.md'
  const rows = rowsUnder('Each rule of money, and its test', path)
  const rules = new Set(rows.map(([rule = '']) => Number(rule)))
  expect([...rules]).toEqual(Array.from({ length: 31 }, (_, index) => index + 1))
  expect(rows.filter(([, , named = '']) => !isThere(named))).toEqual([])
})

/** @param named `` `file`: name of a test `` */
function isThere(named: string): boolean {
  const [, file = '', name = ''] = /^`([\w./-]+\.ts)`: (.+)$/.exec(named) ?? []
  if (name === '' || !existsSync(join(root, file))) return false
  const text = readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'")
  return ["'", '"', '`'].some((quote) => text.includes(`${quote}${name}${quote}`))
}

test('every row on ASVS that is met, or partly, names tests that are there', () => {
  const files = globSync('{shared,standalone,functions,e2e}/**/*.test.ts', {
    cwd: root,
    exclude: (name) => name === 'node_modules',
  })
  const rows = [...rowsUnder('ASVS 5.0, chapter V6'), ...rowsUnder('Sessions')]
  expect(rows.length).toBeGreaterThan(30)
  const bare = rows.filter(([id = '', verdict = '', , evidence = '']) => {
    const named = [...evidence.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, name = '']) => name)
    const isThere = (name: string) => files.filter((file) => `/${file}`.endsWith(`/${name}`)).length === 1
    return (
      id === '' ||
      ((verdict === 'met' || verdict === 'partly') && named.length === 0) ||
      !named.every(isThere)
    )
  })
  expect(bare).toEqual([])
})

/** What docs/security.md says is tested has a test: the attacks on people by name, the chapters of ASVS by file. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Rows of the tables under a heading of docs/security.md, by cells, without their heads. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const page = readFileSync(join(root, 'docs/security.md'), 'utf8')
  const [, after = ''] = page.split(`\n### ${heading}\n`)
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
  const plain = (text: string) => text.replaceAll("\\'", "'")
  const lost = rows.filter(([, , named = '']) => {
    const [, file = '', name = ''] = /^`([\w./-]+\.ts)`: (.+)$/.exec(named) ?? []
    return (
      name === '' || !existsSync(join(root, file)) || !quotes(readFileSync(join(root, file), 'utf8'), name)
    )
  })
  expect(lost).toEqual([])
  function quotes(text: string, name: string): boolean {
    return ["'", '"', '`'].some((quote) => plain(text).includes(`${quote}${name}${quote}`))
  }
})

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

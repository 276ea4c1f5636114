import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

test.each([
  '0057-foundations-settled.md',
  '0067-what-proves-the-data-plane.md',
  '0073-names-settled.md',
  '0075-started-from-the-applied-state.md',
])('every test that %s names is there', (name) => {
  const rows = readFileSync(join(root, 'docs/decisions', name), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
  const files = rows.flatMap((row) => [...row.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = '']) => file))
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { attacks } from '../attacks.ts'

const root = join(import.meta.dirname, '../..')

test('every attack of the list has the test that it names', () => {
  const lost = attacks.filter(({ file, test: name, isLong }) => {
    const path = join(root, file)
    if (!existsSync(path)) return true
    // A row of a table has its own words; a long one may be in a suite of its file.
    return !isLong && !readFileSync(path, 'utf8').includes(name.split(': ').at(-1) ?? '')
  })
  expect(lost.map(({ name, file }) => `${name}: ${file}`)).toEqual([])
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length)
})

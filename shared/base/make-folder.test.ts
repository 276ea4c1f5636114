import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'make-folder-'))
})
afterEach(() => rmSync(base, { recursive: true }))

test('make folder: makes missing folders private and leaves existing ones alone', () => {
  const path = join(base, 'a', 'b')
  makeFolder(path)
  writeFileSync(join(path, 'kept'), '')
  makeFolder(path)
  expect(existsSync(join(path, 'kept'))).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o700)
})

test('make folder: a file in the way or an unwritable place is an error, not an endless loop', () => {
  const file = join(base, 'file')
  writeFileSync(file, '')
  expect(() => makeFolder(file)).toThrow(expect.objectContaining({ code: 'EEXIST' }))
  expect(() => makeFolder('/proc/porttunneler/data')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

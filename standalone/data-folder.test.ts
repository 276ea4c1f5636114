import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDataFolder, writePrivateFile } from './data-folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-data-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('data folder: is made for this user alone', () => {
  const data = openDataFolder(join(folder, 'a', 'b'))
  expect(statSync(data.path).mode & 0o777).toBe(0o700)
  data.close()
})

test('data folder: a second server is refused until the first one is gone', () => {
  const first = openDataFolder(folder)
  expect(() => openDataFolder(folder)).toThrow(/PT-5106/)
  first.close()
  first.close()
  openDataFolder(folder).close()
})

test('data folder: a file in its place and a folder without rights are told apart from a second server', () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  expect(() => openDataFolder(join(file, 'data'))).toThrow(/PT-5105 .*a file stands in the way/)
  chmodSync(folder, 0o500)
  // Root may write anywhere: then the folder simply opens.
  if (process.getuid?.() !== 0) expect(() => openDataFolder(folder)).toThrow(/PT-5105/)
  chmodSync(folder, 0o700)
})

test('private file: replaces what was there and is readable by its owner alone', () => {
  const path = join(folder, 'x.json')
  writeFileSync(path, 'old', { mode: 0o644 })
  writePrivateFile(path, 'new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a place where nothing can be made is refused with a code, not waited for', () => {
  expect(() => openDataFolder('/proc/porttunneler/data')).toThrow(
    expect.objectContaining({ key: 'standalone.folder' }),
  )
})

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closeToOthers, isOpenToOthers, listenPrivately } from './private-files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-private-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string) => statSync(path).mode & 0o777

test('takes the rights from others and leaves the owner’s; ignores links and missing files', () => {
  const [file, inner, link] = [join(folder, 'file'), join(folder, 'inner'), join(folder, 'link')]
  writeFileSync(file, '', { mode: 0o444 })
  mkdirSync(inner)
  chmodSync(inner, 0o755)
  closeToOthers(file)
  closeToOthers(inner)
  expect([modeOf(file), modeOf(inner)]).toEqual([0o400, 0o700])
  chmodSync(file, 0o644)
  symlinkSync(file, link)
  closeToOthers(link)
  expect(modeOf(file)).toBe(0o644)
  closeToOthers(join(folder, 'none'))
  closeToOthers('/proc/self/status')
})

test.each([
  [0o755, 0o644, true],
  [0o755, 0o640, true],
  [0o755, 0o600, false],
  [0o700, 0o644, false],
  [0o750, 0o604, false],
])('a folder of mode %o with a file of mode %o is open to others: %s', (folderMode, mode, expected) => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  chmodSync(file, mode)
  chmodSync(folder, folderMode)
  expect(isOpenToOthers(file)).toBe(expected)
})

test('a socket is open to its user only, from the moment it exists', async () => {
  const path = join(folder, 'socket')
  const server = createServer()
  const before = process.umask()
  listenPrivately(() => server.listen(path))
  expect(modeOf(path)).toBe(0o600)
  expect(process.umask()).toBe(before)
  await new Promise((resolve) => server.close(resolve))
})

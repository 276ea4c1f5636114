import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDataFolder, writePrivateFile } from './data-folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-data-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('data folder: is made for this user only', () => {
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

test('data folder: existing files get their modes, and nothing else is touched', () => {
  const data = join(folder, 'data')
  const modeOf = (name: string) => statSync(join(data, name)).mode & 0o777
  mkdirSync(join(data, 'relay', 'tls'), { recursive: true })
  mkdirSync(join(data, 'logs'))
  const files = ['lock', 'store.db', 'store.db-wal', 'master.key', 'logs/control.log', 'relay/tls/relay.key']
  for (const name of files) writeFileSync(join(data, name), '', { mode: 0o644 })
  const outside = join(folder, 'outside')
  writeFileSync(outside, '', { mode: 0o644 })
  symlinkSync(outside, join(data, 'logs', 'link'))
  openDataFolder(data).close()
  for (const name of files) expect([name, modeOf(name)]).toEqual([name, 0o600])
  for (const name of ['', 'logs', 'relay', 'relay/tls']) expect([name, modeOf(name)]).toEqual([name, 0o700])
  expect(statSync(outside).mode & 0o777).toBe(0o644)
})

test('data folder: a shared folder stays open, our files in it do not', () => {
  chmodSync(folder, 0o755)
  for (const name of ['store.db', 'letter.txt']) writeFileSync(join(folder, name), '', { mode: 0o644 })
  openDataFolder(folder).close()
  const modes = ['', 'store.db', 'lock', 'letter.txt'].map(
    (name) => statSync(join(folder, name)).mode & 0o777,
  )
  expect(modes).toEqual([0o755, 0o600, 0o600, 0o644])
})

const canBeStranger = process.getuid?.() === 0 && spawnSync('python3', ['--version']).status === 0
if (!canBeStranger)
  process.stderr.write(
    "left out: a stranger's lock on a data folder: it needs root, to be another user, and python3\n",
  )
test.skipIf(!canBeStranger)("data folder: another user's lock does not stop the server", async () => {
  chmodSync(folder, 0o755)
  const lock = join(folder, 'lock')
  writeFileSync(lock, '', { mode: 0o644 })
  const hold = `
    import fcntl, sys, struct
    file = open(sys.argv[1], 'rb')
    fcntl.lockf(file, fcntl.LOCK_SH)
    print('locked', flush=True)
    sys.stdin.read()`
  const stranger = spawn('/usr/bin/env', ['python3', '-c', hold.replaceAll('\n    ', '\n'), lock], {
    uid: 65_534,
    gid: 65_534,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [said] = await once(stranger.stdout, 'data')
    expect(String(said)).toContain('locked')
    const first = openDataFolder(folder)
    expect(() => openDataFolder(folder)).toThrow(/PT-5106/)
    first.close()
  } finally {
    stranger.kill('SIGKILL')
    await once(stranger, 'exit')
  }
})

test('data folder: a file in its place and a folder without rights differ from a second server', () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  expect(() => openDataFolder(join(file, 'data'))).toThrow(
    /PT-5105 .*\(EEXIST\): something else is in the way/,
  )
  chmodSync(folder, 0o500)
  // Root may write anywhere, so the folder simply opens.
  if (process.getuid?.() !== 0) expect(() => openDataFolder(folder)).toThrow(/PT-5105/)
  chmodSync(folder, 0o700)
})

test('private file: replaces the old one and is readable only by its owner', () => {
  const path = join(folder, 'x.json')
  writeFileSync(path, 'old', { mode: 0o644 })
  writePrivateFile(path, 'new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('an unwritable place is refused at once with a code', () => {
  expect(() => openDataFolder('/proc/porttunneler/data')).toThrow(
    expect.objectContaining({ key: 'standalone.folder' }),
  )
})

/** Backups of a data folder, what is made of damaged ones, and that none is ever half there. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Secret } from '@porttunneler/shared/base/secret'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../control-plane.ts'
import { openDataFolder } from '../data-folder.ts'
import { openPlane } from '../testing/plane.ts'
import { createBackup } from './create.ts'
import { readBackup } from './read.ts'
import { restoreBackup } from './restore.ts'

let home: string
let root: string
let data: string
let file: string
let plane: ControlPlane
let closeFolder: () => void
const nowMs = Date.UTC(2026, 0, 31, 12)

/** One server for all: a password takes half a second. */
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pt-backup-'))
  data = join(home, 'data')
  const folder = openDataFolder(data)
  closeFolder = () => folder.close()
  plane = openPlane(folder)
  await plane.ensureFirstAccount('ada@example.com')
  const files = {
    'standalone.yaml': 'demo: false\n',
    'relay/credential.json': '{}',
    'relay/tls/relay.key': 'key',
    // Not for a backup:
    'logs/control.log': 'a line',
    'relay/state.json': '{}',
    'standalone.json': '{}',
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(data, name)), { recursive: true })
    writeFileSync(join(data, name), text)
  }
})
afterAll(async () => {
  await plane.close()
  closeFolder()
  rmSync(home, { recursive: true, force: true })
})
beforeEach(() => {
  root = mkdtempSync(join(home, 'test-'))
  file = join(root, 'backup.tar.gz')
})

const create = (passphrase?: Secret) => createBackup({ data, file, passphrase, nowMs })
const restore = (more: { file?: string; passphrase?: Secret } = {}) =>
  restoreBackup({ data: join(root, 'again'), file, operator: 'grace', ...more })
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

describe('backup', () => {
  test('what belongs to it comes back while the server goes on, and nothing else', async () => {
    expect(await create()).toMatchObject({ at: nowMs, files: 5, encrypted: false })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    // Written after it.
    await plane.ensureFirstAccount('eve@example.com')
    expect(await restore()).toMatchObject({ at: nowMs, files: 5 })
    const again = join(root, 'again')
    expect(filesIn(again)).toEqual([
      'master.key',
      'relay/credential.json',
      'relay/tls/relay.key',
      'standalone.yaml',
      'store.db',
    ])
    for (const name of ['master.key', 'relay/tls/relay.key', 'standalone.yaml']) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(data, name))), name).toBe(true)
      expect(statSync(join(again, name)).mode & 0o077, name).toBe(0)
    }
    expect(filesIn(data).filter((name) => name.startsWith('backup'))).toEqual([])
  })

  test('any tar can unpack it', async () => {
    await create()
    mkdirSync(join(root, 'plain'))
    const { status } = spawnSync('tar', ['-xzf', file, '-C', join(root, 'plain')])
    expect(status).toBe(0)
    expect(JSON.parse(readFileSync(join(root, 'plain/backup.json'), 'utf8'))).toMatchObject({ format: 1 })
    expect(readFileSync(join(root, 'plain/relay/tls/relay.key'), 'utf8')).toBe('key')
  })

  test('an encrypted one is opened by its passphrase alone, and a plain one not in its place', async () => {
    const passphrase = new Secret('correct horse')
    expect(await create(passphrase)).toMatchObject({ encrypted: true })
    expect(readFileSync(file).includes('credential.json')).toBe(false)
    await expect(restore()).rejects.toMatchObject({ key: 'backup.passphrase' })
    await expect(restore({ passphrase: new Secret('other') })).rejects.toMatchObject({
      key: 'backup.passphrase',
    })
    const plain = join(root, 'plain.tar.gz')
    await createBackup({ data, file: plain, nowMs })
    await expect(restore({ file: plain, passphrase })).rejects.toMatchObject({ key: 'backup.passphrase' })
    expect(await restore({ passphrase })).toMatchObject({ at: nowMs })
  })

  test('it never replaces a file, and a draft of a killed one does not stay', async () => {
    const killed = spawnSync(process.execPath, ['-e', '']).pid
    const own = `${killed}-0123456789ab`
    const left = [join(data, `backup.${own}.ptun-snapshot`), `${root}/yesterday.tar.gz.${own}.ptun-draft`]
    for (const path of left) {
      writeFileSync(path, 'half')
      utimesSync(path, 0, 0)
    }
    await create()
    expect(readdirSync(root)).toEqual(['backup.tar.gz'])
    expect(left.filter((path) => existsSync(path))).toEqual([])
    const before = readFileSync(file)
    await expect(create()).rejects.toMatchObject({ key: 'backup.occupied' })
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('a file that comes to its name while it is made is not replaced', async () => {
    const doing = create()
    writeFileSync(file, 'of somebody else')
    await expect(doing).rejects.toMatchObject({ key: 'backup.occupied' })
    expect(readFileSync(file, 'utf8')).toBe('of somebody else')
    expect(readdirSync(root)).toEqual(['backup.tar.gz'])
  })

  test('old files of others stay, beside the backup and in the data folder', async () => {
    const names = [
      'backup-20261128.db',
      'backup-20261128.db-journal',
      'backup.4194304-0123456789ab.ptun-snapshot',
    ]
    const theirs = [...names.map((name) => join(root, name)), join(data, 'backup-20261128.db')]
    for (const path of theirs) {
      writeFileSync(path, 'of somebody else')
      utimesSync(path, 0, 0)
    }
    await create()
    expect(theirs.filter((path) => !existsSync(path))).toEqual([])
    rmSync(join(data, 'backup-20261128.db'))
  })

  test('where it cannot be written nothing is left, and the reason is told', async () => {
    file = join(root, 'none', 'backup.tar.gz')
    await expect(create()).rejects.toMatchObject({
      key: 'backup.failed',
      detail: expect.stringContaining('ENOENT'),
    })
    await expect(createBackup({ data: root, file, nowMs })).rejects.toMatchObject({ key: 'operator.nowhere' })
    expect(filesIn(data).filter((name) => name.startsWith('backup'))).toEqual([])
  })

  test('a database that is damaged is not called a backup', async () => {
    await create()
    await restore()
    const damaged = join(root, 'again')
    const bytes = readFileSync(join(damaged, 'store.db'))
    bytes.fill(0x41, 8192, bytes.length - 4096)
    writeFileSync(join(damaged, 'store.db'), bytes)
    const second = join(root, 'second')
    await expect(createBackup({ data: damaged, file: second, nowMs })).rejects.toMatchObject({
      key: 'store.corrupt',
    })
    expect(existsSync(second)).toBe(false)
  })
})

function isSame(packed: Buffer, content: Buffer): boolean {
  try {
    return gunzipSync(packed).equals(content)
  } catch {
    return false
  }
}

describe('restore', () => {
  /** The list, with its length as tar has it. */
  function withList(change: (list: { format: number; files: { name: string }[] }) => void): Buffer {
    const tar = gunzipSync(readFileSync(file))
    const bytes = Number.parseInt(tar.toString('latin1', 124, 135), 8)
    const list = JSON.parse(tar.toString('utf8', 512, 512 + bytes))
    change(list)
    const text = JSON.stringify(list).padEnd(bytes).slice(0, bytes)
    tar.write(text, 512, 'utf8')
    return gzipSync(tar)
  }

  test('a folder with anything in it is left as it is, and so is one that a server uses', async () => {
    await create()
    const again = join(root, 'again')
    mkdirSync(again)
    writeFileSync(join(again, 'standalone.yaml'), 'demo: true\n')
    await expect(restore()).rejects.toMatchObject({ key: 'backup.occupied' })
    expect(filesIn(again)).toEqual(['standalone.yaml'])
    await expect(restoreBackup({ data, file, operator: 'grace' })).rejects.toMatchObject({
      key: 'backup.occupied',
    })
  })

  test('a file that was cut or changed anywhere is refused, and the folder stays empty', async () => {
    await create()
    const whole = readFileSync(file)
    const damaged = join(root, 'damaged')
    const cuts = [0, 1, 9, 20, whole.length >> 1, whole.length - 9, whole.length - 1]
    const content = gunzipSync(whole)
    const flips = Array.from({ length: 12 }, (_, step) => {
      const changed = Buffer.from(whole)
      const at = 10 + Math.floor(((whole.length - 19) * step) / 12)
      changed[at] = (whole[at] ?? 0) ^ 0x10
      return changed
      // Gzip can write the same in several ways: a copy of zeros from here or there.
    }).filter((changed) => !isSame(changed, content))
    expect(flips.length).toBeGreaterThan(6)
    for (const bytes of [
      ...cuts.map((end) => whole.subarray(0, end)),
      ...flips,
      Buffer.from('not a backup at all'),
      gzipSync('not a tar'),
    ]) {
      writeFileSync(damaged, bytes)
      await expect(restore({ file: damaged })).rejects.toMatchObject({ key: 'backup.damaged' })
      expect(readdirSync(join(root, 'again'))).toEqual([])
    }
  })

  test('one of a newer format is told apart from a damaged one', async () => {
    await create()
    const newer = join(root, 'newer')
    writeFileSync(
      newer,
      withList((list) => {
        list.format = 2
      }),
    )
    await expect(restore({ file: newer })).rejects.toMatchObject({ key: 'backup.newer' })
  })

  test.each(['../escape.db', '/tmp/escape.db', 'logs/control.log', 'relay/../../x', 'relay/.ssh/key'])(
    'a list that names %s is refused',
    async (name) => {
      await create()
      const hostile = join(root, 'hostile')
      writeFileSync(
        hostile,
        withList((list) => {
          list.files[1] = { ...list.files[1], name } as { name: string }
        }),
      )
      await expect(restore({ file: hostile })).rejects.toMatchObject({ key: 'backup.damaged' })
      expect(readdirSync(join(root, 'again'))).toEqual([])
    },
  )

  test('where one was interrupted no server starts', async () => {
    const again = join(root, 'again')
    mkdirSync(join(again, 'restoring'), { recursive: true })
    expect(() => openDataFolder(again)).toThrow(expect.objectContaining({ key: 'backup.unfinished' }))
    await create()
    await expect(restore()).rejects.toMatchObject({ key: 'backup.unfinished' })
  })

  test('where one failed while it moved files no server starts, and the next restore says so', async () => {
    await create()
    const again = join(root, 'again')
    const doing = restore()
    // No file can be moved onto a folder with something in it.
    mkdirSync(join(again, 'standalone.yaml', 'x'), { recursive: true })
    await expect(doing).rejects.toMatchObject({ key: 'backup.unfinished' })
    expect(() => openDataFolder(again)).toThrow(expect.objectContaining({ key: 'backup.unfinished' }))
    await expect(restore()).rejects.toMatchObject({ key: 'backup.unfinished' })
    rmSync(again, { recursive: true })
    expect(await restore()).toMatchObject({ at: nowMs })
  })

  test('the list says what each file has to be', async () => {
    await create()
    const { files } = await readBackup({ file })
    const key = files.find(({ name }) => name === 'relay/tls/relay.key')
    expect(key).toEqual({
      name: key?.name,
      bytes: 3,
      sha256: createHash('sha256').update('key').digest('hex'),
    })
  })
})

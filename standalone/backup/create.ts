/**
 * Writes a backup of a data folder, while its server runs or not. The file appears under its name only when it is
 * whole, on the disk, and was read back; whatever ends it before leaves a draft, which the next backup removes. It
 * never replaces a file.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import manifest from '../package.json' with { type: 'json' }
import { snapshotDatabase } from '../platform/store.sqlite.snapshot.ts'
import { seal } from './age.ts'
import { draftPaths, removeLeft } from './left.ts'
import {
  backupFormat,
  backupKind,
  databaseName,
  isKept,
  keptFiles,
  keptFolders,
  type Manifest,
  manifestName,
} from './manifest.ts'
import { placeDraft } from './place.ts'
import { readBackup } from './read.ts'
import { tarEnd, tarHeader, tarPadding } from './tar.ts'

/** All files but the database are held in memory meanwhile; real ones are some MB. */
const smallBytesMax = 256 * 1024 * 1024

export type BackupWish = {
  /** The data folder. */
  readonly data: string
  readonly file: string
  readonly passphrase?: Secret | undefined
  readonly nowMs: number
}

export type BackupReport = {
  readonly file: string
  /** The moment whose state it holds. */
  readonly at: number
  readonly bytes: number
  readonly documents: number
  readonly files: number
  readonly encrypted: boolean
}

type SmallFile = { readonly name: string; readonly content: Buffer }

/** @throws operator.nowhere, backup.occupied, backup.failed, store.* */
export async function createBackup(wish: BackupWish): Promise<BackupReport> {
  const { data, file, passphrase, nowMs } = wish
  if (!existsSync(join(data, databaseName)))
    throw fail('operator.nowhere', `${data} is not the data folder of a server.`)
  if (existsSync(file)) throw fail('backup.occupied', `${file} exists.`)
  const { draft, snapshot } = draftPaths(file, data)
  try {
    removeLeft(file, data)
    // Before the database: it may know of more than the files do, as after a start that was cut; never of less.
    const small = keptNames(data).flatMap((name) => readSmall(data, name))
    if (small.reduce((sum, { content }) => sum + content.length, 0) > smallBytesMax)
      throw fail('backup.failed', `The files of ${data} beside its database are too large.`)
    const { documents } = snapshotDatabase(join(data, databaseName), snapshot)
    const listed = small.map(({ name, content }) => ({
      name,
      bytes: content.length,
      sha256: hashOf(content),
    }))
    const database = {
      name: databaseName,
      bytes: statSync(snapshot).size,
      sha256: await hashOfFile(snapshot),
    }
    const files = [...listed, database]
    const list: Manifest = {
      kind: backupKind,
      format: backupFormat,
      version: manifest.version,
      at: nowMs,
      documents,
      files,
    }
    await writeDraft(draft, tarOf(list, small, snapshot), passphrase)
    await readBackup({ file: draft, passphrase })
    await placeDraft(draft, file)
    await syncFolder(dirname(file))
    const facts = { at: nowMs, bytes: statSync(file).size, documents, files: files.length }
    return { file, ...facts, encrypted: passphrase !== undefined }
  } catch (cause) {
    if (isFailure(cause) && cause.key !== 'backup.damaged') throw cause
    throw fail('backup.failed', `${file} cannot be written${sayFileError(cause)}`, { cause })
  } finally {
    for (const path of [draft, snapshot, `${snapshot}-journal`]) rmSync(path, { force: true })
  }
}

function keptNames(data: string): readonly string[] {
  const folders = readdirSync(data, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && keptFolders.test(entry.name),
  )
  const inside = folders.flatMap(({ name }) =>
    readdirSync(join(data, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.new'))
      .map((entry) => relative(data, join(entry.parentPath, entry.name)).replaceAll('\\', '/')),
  )
  return [...keptFiles, ...inside.sort()].filter(isKept)
}

/** Nothing when it is gone meanwhile, or was never there. */
function readSmall(data: string, name: string): readonly SmallFile[] {
  try {
    return [{ name, content: readFileSync(join(data, name)) }]
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

async function* tarOf(list: Manifest, small: readonly SmallFile[], snapshot: string): AsyncGenerator<Buffer> {
  const content = Buffer.from(`${JSON.stringify(list, null, 2)}\n`)
  for (const one of [{ name: manifestName, content }, ...small]) {
    yield tarHeader({ name: one.name, bytes: one.content.length }, list.at)
    yield one.content
    yield tarPadding(one.content.length)
  }
  const { size } = statSync(snapshot)
  yield tarHeader({ name: databaseName, bytes: size }, list.at)
  yield* createReadStream(snapshot) as AsyncIterable<Buffer>
  yield tarPadding(size)
  yield tarEnd()
}

async function writeDraft(
  draft: string,
  tar: AsyncIterable<Buffer>,
  passphrase: Secret | undefined,
): Promise<void> {
  const out = await open(draft, 'wx', 0o600)
  try {
    await pipeline(tar, createGzip(), async (packed: AsyncIterable<Buffer>) => {
      for await (const part of passphrase ? seal(packed, passphrase) : packed) await out.appendFile(part)
    })
    await out.sync()
  } finally {
    await out.close()
  }
}

/** After a loss of power the name is there too. Windows opens no folder, and needs none of this. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path)) hash.update(part as Buffer)
  return hash.digest('hex')
}

/** The first line of a file. @throws operator.usage */
export async function readPassphrase(path: string): Promise<Secret> {
  try {
    const [line = ''] = (await readFile(path, 'utf8')).split('\n')
    if (line.trim() === '') throw fail('operator.usage', `${path} holds no passphrase in its first line.`)
    return new Secret(line.replace(/\r$/, ''))
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw fail('operator.usage', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
}

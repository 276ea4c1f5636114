/**
 * The data folder: made on first start, 0700, and used by one server at a time. The lock is SQLite's own file lock on
 * an otherwise empty file: the kernel drops it when the process dies, however it dies, so none is ever left behind.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fail } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'

export type DataFolder = {
  readonly path: string
  /** The path of a file or folder inside. */
  file(...names: string[]): string
  /** Lets another server use it. Idempotent. */
  close(): void
}

/** A restore unpacks here, and removes it as its last step. */
export const restoringFolder = 'restoring'

/** @throws standalone.folder, standalone.running, backup.unfinished */
export function openDataFolder(path: string): DataFolder {
  try {
    makeFolder(path)
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    closeFolder(path)
    makeFolder(join(path, 'logs'))
  } catch (cause) {
    throw fail('standalone.folder', `${path} cannot be used${sayFileError(cause)}`, { cause })
  }
  const lock = takeLock(path)
  if (existsSync(join(path, restoringFolder))) {
    lock.close()
    throw fail('backup.unfinished', `A restore into ${path} did not finish.`)
  }
  return {
    path,
    file: (...names) => join(path, ...names),
    close: () => {
      if (lock.isOpen) lock.close()
    },
  }
}

/** The server's own files; anything else in the folder is not ours to change. */
const ownFiles =
  /^(lock|(store\.db|\S+\.ptun-snapshot)(-wal|-shm|-journal)?|master\.key|standalone\.json(\.new)?|ptunctl\.sock)$/
const ownFolders = /^(logs|mail|siblings|ca|demo(-b)?|relay(-\d+)?(-b)?)$/

/** Sets the modes that this release would have set. */
function closeFolder(path: string): void {
  const entries = readdirSync(path, { withFileTypes: true })
  // A folder that is used for something else too keeps its mode; our files in it are closed one by one.
  const isOurs = entries.every(({ name }) => ownFiles.test(name) || ownFolders.test(name) || isSetting(name))
  if (isOurs) closeToOthers(path)
  for (const entry of entries) {
    const own = join(path, entry.name)
    if (entry.isDirectory() ? ownFolders.test(entry.name) : ownFiles.test(entry.name)) closeToOthers(own)
    if (!entry.isDirectory() || !ownFolders.test(entry.name)) continue
    for (const inner of readdirSync(own, { recursive: true, withFileTypes: true }))
      closeToOthers(join(inner.parentPath, inner.name))
  }
}

function isSetting(name: string): boolean {
  return name.startsWith('standalone.yaml')
}

/** When a file was last written, ms; 0 when there is none. */
export function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function takeLock(path: string): DatabaseSync {
  const file = join(path, 'lock')
  let lock: DatabaseSync | undefined
  try {
    // SQLite would let everybody read it, and so lock it.
    closeSync(openSync(file, 'a', 0o600))
    lock = new DatabaseSync(file, { timeout: 0 })
    lock.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if (isBusy(cause) && isHeldByStrangers(file)) {
      rmSync(file)
      return takeLock(path)
    }
    if (isBusy(cause)) throw fail('standalone.running', `${path} is in use by another server.`, { cause })
    throw fail('standalone.folder', `${file} cannot be used${sayFileError(cause)}`, { cause })
  }
}

/**
 * Whether only strangers hold locks on the file, which they could open while its mode let everybody. Somebody who may
 * only read a file gets no lock for writing on it, and a server holds one. Only Linux shows this; elsewhere nobody is
 * suspected.
 */
function isHeldByStrangers(file: string): boolean {
  if (process.platform !== 'linux') return false
  const { ino, uid } = statSync(file)
  const locks = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`:${ino} `))
  // A starting server briefly holds a read lock. A process outside this container has no number.
  const known = [uid, process.getuid?.(), 0, undefined]
  return locks.length > 0 && locks.every((line) => / READ /.test(line) && !known.includes(holderOf(line)))
}

/** The user of the process that a line of /proc/locks names. */
function holderOf(line: string): number | undefined {
  const [, pid] = / READ +(\d+) /.exec(line) ?? []
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid
}

/** SQLITE_BUSY: another connection holds the lock. */
function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && cause.errcode === 5
}

/** Replaces a file as a whole, readable by this user alone: a reader sees the old text or the new one. */
export function writePrivateFile(path: string, text: string): void {
  const draft = `${path}.new`
  rmSync(draft, { force: true })
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  chmodSync(draft, 0o600)
  renameSync(draft, path)
}

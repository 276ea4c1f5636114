/**
 * The data folder: made on first start, 0700, and used by one server at a time. The lock is SQLite's own file lock on
 * an otherwise empty file: the kernel drops it when the process dies, however it dies, so none is ever left behind.
 */
import { accessSync, chmodSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fail } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'

export type DataFolder = {
  readonly path: string
  /** The path of a file or folder inside. */
  file(...names: string[]): string
  /** Lets another server in. Idempotent. */
  close(): void
}

/** @throws standalone.folder, standalone.running */
export function openDataFolder(path: string): DataFolder {
  try {
    makeFolder(path)
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    makeFolder(join(path, 'logs'))
  } catch (cause) {
    throw fail('standalone.folder', `${path}: ${reasonOf(cause)}`, { cause })
  }
  const lock = takeLock(path)
  return {
    path,
    file: (...names) => join(path, ...names),
    close: () => {
      if (lock.isOpen) lock.close()
    },
  }
}

/** When a file was written last, ms; 0 when there is none. */
export function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(path, 'lock'), { timeout: 0 })
    lock.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if (isBusy(cause)) throw fail('standalone.running', `${path} is in use by another server.`, { cause })
    throw fail('standalone.folder', `${join(path, 'lock')}: ${reasonOf(cause)}`, { cause })
  }
}

/** SQLITE_BUSY: another connection holds the lock. */
function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && cause.errcode === 5
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOENT: 'nothing can be made there',
  ENOTDIR: 'a file stands in the way of the folder',
  EEXIST: 'a file stands in the way of the folder',
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause ? String(cause.code) : ''
  return reasons[code] ?? cause.message
}

/** Replaces a file as a whole, readable by this user alone: a reader sees the old text or the new one. */
export function writePrivateFile(path: string, text: string): void {
  const draft = `${path}.new`
  rmSync(draft, { force: true })
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  chmodSync(draft, 0o600)
  renameSync(draft, path)
}

/**
 * Keeps files, folders and sockets private to one user, even when something made them with wider modes before: an older
 * release, a copy, an administrator. Windows has no such modes; its profile folder is private already.
 */
import { chmodSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'

const others = 0o077
const hasModes = process.platform !== 'win32'

/**
 * Removes the rights of group and others. It leaves alone links, files of somebody else and file systems without modes:
 * somebody chose those.
 */
export function closeToOthers(path: string): void {
  if (!hasModes) return
  try {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found || found.isSymbolicLink() || (found.mode & others) === 0) return
    chmodSync(path, found.mode & 0o700)
  } catch (error) {
    if (!isDenied(error)) throw error
  }
}

/** The file is gone meanwhile, or not ours to change. */
function isDenied(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'EPERM' || code === 'EACCES' || code === 'EROFS' || code === 'ENOTSUP'
}

/** Whether other users can read the file: its own mode lets them, and its folder lets them reach it. */
export function isOpenToOthers(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  const folder = lstatSync(dirname(path), { throwIfNoEntry: false })
  if (!hasModes || !found || !folder) return false
  return [0o010, 0o001].some((enter) => (folder.mode & enter) !== 0 && (found.mode & (enter << 2)) !== 0)
}

/**
 * Calls a server's `listen` on a socket path. The socket is made in that call, and not even for a moment can others
 * open it.
 */
export function listenPrivately(listen: () => void): void {
  const before = process.umask(0o177)
  try {
    listen()
  } finally {
    process.umask(before)
  }
}

/**
 * Files, folders and sockets that are for one user alone, also where they were made before by a looser hand: an older
 * release, a copy, an administrator. Windows has no such modes; its profile folder is private already.
 */
import { chmodSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'

const others = 0o077
const hasModes = process.platform !== 'win32'

/**
 * Takes away what group and others may do. A link is left alone, and so is what belongs to somebody else or lies on a
 * file system without modes: whoever made it so has decided.
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

/** Gone meanwhile, or not ours to change. */
function isDenied(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'EPERM' || code === 'EACCES' || code === 'EROFS' || code === 'ENOTSUP'
}

/** Whether other users can read the file: its own mode lets them, and its folder lets them come to it. */
export function isOpenToOthers(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  const folder = lstatSync(dirname(path), { throwIfNoEntry: false })
  if (!hasModes || !found || !folder) return false
  return [0o010, 0o001].some((enter) => (folder.mode & enter) !== 0 && (found.mode & (enter << 2)) !== 0)
}

/**
 * Calls `listen` of a server at the path of a socket, which is made in that call and never was anybody else's to open,
 * not even for a moment.
 */
export function listenPrivately(listen: () => void): void {
  const before = process.umask(0o177)
  try {
    listen()
  } finally {
    process.umask(before)
  }
}

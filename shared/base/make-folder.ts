/** Folders for a program's own files. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder that only this user may enter, and those above it that are missing. One by one: Node's own recursive
 * way never ends where a parent lets nothing be made in it (/proc).
 * @throws the system's error of the first folder that cannot be made
 */
export function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  // A file in the way is the system's to refuse.
  if (!found) makeFolder(dirname(path))
  mkdirSync(path, { mode: 0o700 })
}

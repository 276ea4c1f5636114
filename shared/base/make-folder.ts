/** Folders for a program's own files. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder that only this user may enter, and its missing parents. It makes them one by one: Node's own recursive
 * option never ends where a parent lets nothing be made in it (/proc).
 * @throws the system's error for the first folder that cannot be made
 */
export function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  // Let the system refuse a file in the way.
  if (!found) makeFolder(dirname(path))
  mkdirSync(path, { mode: 0o700 })
}

/** Folders for a program's own files. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder that only this user may enter, and those above it that are missing. One by one: Node's own recursive
 * way never ends where a parent lets nothing be made in it (/proc).
 * @throws the system's error of the first folder that cannot be made
 */
export function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

/**
 * The names of what a backup writes before it is whole, and the removal of what backups that were killed have left.
 * The file's own folder may be anybody's, so the names are such that nobody else chooses them, and each kind is looked
 * for only where it is written.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { writtenAt } from '../data-folder.ts'

const draftShape = /\.(\d{1,10})-[0-9a-f]{12}\.ptun-draft$/
const snapshotShape = /^backup\.(\d{1,10})-[0-9a-f]{12}\.ptun-snapshot(-journal)?$/
const freshMs = 10 * 60_000

/** Paths that no other process has, also where another container gives its processes the same numbers. */
export function draftPaths(
  file: string,
  data: string,
): { readonly draft: string; readonly snapshot: string } {
  const own = `${process.pid}-${randomBytes(6).toString('hex')}`
  return {
    draft: join(dirname(file), `${basename(file)}.${own}.ptun-draft`),
    snapshot: join(data, `backup.${own}.ptun-snapshot`),
  }
}

/** Removes drafts beside the file, and snapshots in the data folder, whose processes have ended. */
export function removeLeft(file: string, data: string): void {
  removeDead(dirname(file), draftShape)
  removeDead(data, snapshotShape)
}

function removeDead(folder: string, shape: RegExp): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const [, pid] = shape.exec(entry.name) ?? []
    const path = join(folder, entry.name)
    // The process may run in another container, where its number is another one; then it writes all the time.
    if (pid === undefined || !entry.isFile() || isAlive(Number(pid)) || isFresh(path)) continue
    rmSync(path, { force: true })
  }
}

function isFresh(path: string): boolean {
  return systemClock.now() - writtenAt(path) < freshMs
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

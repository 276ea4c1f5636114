/**
 * The lock file lists everything that its packages require. npm omits packages of other platforms that it cannot get
 * while it writes the file, and then refuses to install from it (`npm ci`), also on platforms that do not need them.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { root, type Violation } from './sources.ts'

const wants = z.record(z.string(), z.string()).default({})
const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ dependencies: wants, optionalDependencies: wants })),
})
const path = 'package-lock.json'

export function findMissingInLock(): readonly Violation[] {
  return missingInLock(JSON.parse(readFileSync(join(root, path), 'utf8')))
}

export function missingInLock(lock: unknown): readonly Violation[] {
  const { packages } = lockSchema.parse(lock)
  return Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !foldersOf(from).some((folder) => `${folder}node_modules/${name}` in packages))
      .map((name) => ({
        path,
        line: 1,
        message: `${name}, which ${from || 'the root'} asks for, is missing`,
      })),
  )
}

/** Where Node would look: the package's own folder, and each above it. */
function foldersOf(from: string): readonly string[] {
  const parts = from === '' ? [] : from.split('/')
  return parts.map((_, count) => `${parts.slice(0, count + 1).join('/')}/`).concat('')
}

/** Unused files, exports and dependencies, found by knip; and dependencies that nobody has declared. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { z } from 'zod'
import { root, type Violation } from './sources.ts'

const finding = z.object({ name: z.string(), line: z.int().optional() })
const kinds = {
  files: 'nothing uses this file',
  dependencies: 'nothing uses this dependency',
  devDependencies: 'nothing uses this dependency',
  unlisted: 'this package is used but not declared',
  unresolved: 'this import leads nowhere',
  exports: 'nothing outside the file uses this export',
  types: 'nothing outside the file uses this type',
  duplicates: 'this is exported twice',
} as const
const reportSchema = z.object({
  issues: z.array(
    z.looseObject({
      file: z.string(),
      ...Object.fromEntries(
        Object.keys(kinds).map((kind) => [kind, z.array(z.union([finding, z.array(finding)])).optional()]),
      ),
    }),
  ),
})

export function findUnused(): readonly Violation[] {
  const output = execFileSync(
    join(root, 'node_modules/.bin/knip'),
    ['--reporter', 'json', '--no-exit-code'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return reportSchema.parse(JSON.parse(output)).issues.flatMap((issue) =>
    Object.entries(kinds).flatMap(([kind, says]) => {
      const findings = z.array(z.union([finding, z.array(finding)])).parse(issue[kind] ?? [])
      return findings.flat().map(({ name, line = 1 }) => ({
        path: issue.file,
        line,
        message: kind === 'files' ? says : `${name}: ${says}`,
      }))
    }),
  )
}

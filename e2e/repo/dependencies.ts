/** Each dependency has a row in docs/decisions/dependencies.md that says why own code would be worse. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { root, type Violation } from './sources.ts'

const list = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({ dependencies: list, devDependencies: list, optionalDependencies: list })
const reasons = 'docs/decisions/dependencies.md'

export function dependenciesWithoutReason(files: readonly string[]): readonly Violation[] {
  const explained = explainedIn(readFileSync(join(root, reasons), 'utf8'))
  const declared = files.filter((path) => /^(?:[\w-]+\/)?package\.json$/.test(path)).flatMap(declaredIn)
  const names = new Set(declared.map(({ name }) => name))
  return [
    ...declared
      .filter(({ name }) => !explained.has(name))
      .map(({ path, name }) => ({ path, line: 1, message: `${name} has no row in ${reasons}` })),
    ...[...explained]
      .filter((name) => !names.has(name))
      .map((name) => ({ path: reasons, line: 1, message: `${name} is no dependency any more` })),
  ]
}

function declaredIn(path: string): readonly { path: string; name: string }[] {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(root, path), 'utf8')))
  const { dependencies, devDependencies, optionalDependencies } = manifest
  return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter((name) => name !== 'porttunneler' && !name.startsWith('@porttunneler/'))
    .map((name) => ({ path, name }))
}

/** Names in back quotes in the first column of the table. */
function explainedIn(text: string): ReadonlySet<string> {
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  return new Set(
    rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)),
  )
}

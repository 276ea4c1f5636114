/** Builds the console and the functions when they are older than their sources. */
import { execFile } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fail } from '@porttunneler/shared/base/errors'
import { root } from '../harness/programs.ts'

const builds = [
  { workspace: 'web', output: 'web/dist/index.html', sources: ['web', 'shared', 'site', 'docs'] },
  { workspace: 'functions', output: 'functions/dist/package-lock.json', sources: ['functions', 'shared'] },
] as const

const notSources = /(^|\/)(node_modules|dist|testing)(\/|$)|\.test\.tsx?$|(^|\/)sbom\.cdx\.json$/

/** @param onBuild called before each build. @throws local.build, the reason of `signal` */
export async function buildWhatIsStale(
  onBuild: (workspace: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const { workspace, output, sources } of builds) {
    if (changedAt(output) >= Math.max(changedAt('package-lock.json'), ...sources.flatMap(changesIn))) continue
    onBuild(workspace)
    await build(workspace, signal)
  }
}

async function build(workspace: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    const options = { cwd: root, ...(signal && { signal }) }
    await promisify(execFile)('npm', ['run', '--silent', 'build', '-w', workspace], options)
  } catch (cause) {
    signal?.throwIfAborted()
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw fail('local.build', `"npm run build -w ${workspace}" failed: ${said.slice(-2_000)}`, { cause })
  }
}

function changesIn(folder: string): readonly number[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => !notSources.test(name))
    .map((name) => changedAt(join(folder, name)))
}

/** 0 when the file is missing. */
function changedAt(path: string): number {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}

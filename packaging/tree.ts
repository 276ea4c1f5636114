/**
 * Lays out what is installed, the same in packages and images: programs as bundles, what they read, the lock file's
 * Node, notices and bill of materials. Everything is read-only for the service; nothing is fetched or compiled later.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { z } from 'zod'
import { buildPtun } from '../cli/build.ts'
import { buildRelay } from '../relay-vm/build.ts'
import { writeBundle } from './bundle.ts'
import type { Bundled } from './materials.ts'
import manifest from './package.json' with { type: 'json' }
import { packagesIn, sbomOf } from './sbom.ts'

export const { version } = manifest
const root = join(import.meta.dirname, '..')
const from = (...names: string[]) => join(root, ...names)

/** The console has to be there: `npm run build -w web`. */
export async function makeServerTree(folder: string): Promise<void> {
  const relay = await buildRelay(join(folder, 'relay-vm/dist'))
  const own = await writeBundle({
    input: {
      start: from('standalone/start.ts'),
      main: from('standalone/main.ts'),
      trust: from('standalone/trust.ts'),
      ptunctl: from('ptunctl/ptunctl.js'),
      health: from('packaging/health-server.ts'),
    },
    dist: join(folder, 'standalone'),
    format: 'esm',
    alias: { '@porttunneler/functions/office': from('packaging/no-cloud.ts') },
  })
  // The demo's agent loads it by its name; it is the same in both languages.
  copyFileSync(from('standalone/orphan-guard.ts'), join(folder, 'standalone/orphan-guard.ts'))
  cpSync(from('web/dist'), join(folder, 'web/dist'), { recursive: true })
  const console = packagesIn(readFileSync(from('web/sbom.cdx.json'), 'utf8'))
  const agent = await addPtun(folder)
  finish(folder, 'porttunneler-server', [...relay, ...own, ...console, ...agent])
}

export async function makeAgentTree(folder: string): Promise<void> {
  const agent = await addPtun(folder)
  const health = { health: from('packaging/health-agent.ts') }
  const own = await writeBundle({ input: health, dist: join(folder, 'health'), format: 'esm' })
  finish(folder, 'ptun', [...agent, ...own])
}

async function addPtun(folder: string): Promise<readonly Bundled[]> {
  const cli = join(folder, 'cli')
  const bundled = await buildPtun(join(cli, 'dist'))
  for (const name of ['ptun.js', 'package.json']) copyFileSync(from('cli', name), join(cli, name))
  return [...bundled, ...addPackage(cli, 'open')]
}

const packageSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).default({}),
})

/** Copies a package that cannot be bundled, with all that it needs. */
function addPackage(folder: string, name: string): readonly Bundled[] {
  const source = from('node_modules', name)
  const { dependencies, ...own } = packageSchema.parse(
    JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')),
  )
  cpSync(source, join(folder, 'node_modules', name), { recursive: true })
  return [own, ...Object.keys(dependencies).flatMap((needed) => addPackage(folder, needed))]
}

/** Adds Node, the bill of materials and the licence, and makes modes and times the same wherever it is built. */
function finish(folder: string, name: string, bundled: readonly Bundled[]): void {
  const node = from('node_modules', `node-linux-${process.arch}`)
  mkdirSync(join(folder, 'node/bin'), { recursive: true })
  for (const file of ['bin/node', 'LICENSE']) copyFileSync(join(node, file), join(folder, 'node', file))
  copyFileSync(from('LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(folder, 'sbom.cdx.json'), sbomOf({ name, version }, bundled, process.versions))
  settle(folder)
}

/** Fixes modes and times of a folder, so that what is made of it has the same bytes. What can be run stays so. */
export function settle(folder: string): void {
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', folder])
  execFileSync('find', [folder, '-exec', 'touch', '--no-dereference', '--date=@315532800', '{}', '+'])
}

/**
 * Builds functions/dist, which is deployed unchanged: one chunk for each function and for each SDK, so that an instance
 * parses only what it uses. All packages are inside except Google's framework: it keeps the list of functions itself,
 * so it has to be the copy that runs. A lock file cut out of ours fixes its packages. The bill of materials has both.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { z } from 'zod'
import { type Bundled, noticesOf, packagesOf } from '../packaging/materials.ts'
import { sbomOf } from '../packaging/sbom.ts'
import manifest from './package.json' with { type: 'json' }

const framework = '@google-cloud/functions-framework'
const here = import.meta.dirname
const dist = join(here, 'dist')

const bundle = await rolldown({
  input: join(here, 'main.ts'),
  platform: 'node',
  external: [framework],
  // Where an SDK would look for files that it does not need: all of its protocols are inside.
  transform: { define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' } },
})
const { output } = await bundle.write({ dir: dist, cleanDir: true, format: 'esm' })
await bundle.close()

const deployed = {
  name: manifest.name,
  version: manifest.version,
  private: true,
  type: 'module',
  main: 'main.js',
  engines: { node: '24' },
  dependencies: { [framework]: manifest.dependencies[framework] },
}
const lock = lockFor(deployed)
writeJson('package.json', deployed)
writeJson('package-lock.json', lock)
const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
writeFileSync(join(dist, 'third-party.txt'), noticesOf(modules))
const inside = [...packagesOf(modules), ...installedBy(lock)]
writeFileSync(
  join(dist, 'sbom.cdx.json'),
  sbomOf({ name: 'porttunneler-functions', version: manifest.version }, inside),
)
copyFileSync(join(here, '../LICENSE'), join(dist, 'LICENSE'))

function writeJson(name: string, value: unknown): void {
  writeFileSync(join(dist, name), `${JSON.stringify(value, null, 2)}\n`)
}

/** What Google's build installs by this lock file. */
function installedBy({ packages }: ReturnType<typeof lockFor>): readonly Bundled[] {
  return Object.entries(packages).flatMap(([path, { version, license }]) =>
    path === '' ? [] : [{ name: path.split('node_modules/').at(-1) ?? path, version, license }],
  )
}

/** The part of the repository's lock file that the deployed package needs. */
function lockFor(root: typeof deployed) {
  const list = z.record(z.string(), z.string()).default({})
  const lockSchema = z.object({
    packages: z.record(
      z.string(),
      z.looseObject({
        ...{ version: z.string().default(''), license: z.string().optional() },
        ...{ dependencies: list, dev: z.boolean().optional() },
      }),
    ),
  })
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(here, '../package-lock.json'), 'utf8')))
  const kept = new Map<string, Omit<Bundled, 'name'>>()
  const keep = (parent: string, name: string) => {
    const path = placeOf(parent, name)
    const found = packages[path]
    if (!found || kept.has(path)) return
    kept.set(path, found)
    for (const dependency of Object.keys(found.dependencies)) keep(path, dependency)
  }
  /** As Node looks for it: beside its parent, then further out. */
  const placeOf = (parent: string, name: string): string => {
    for (
      let folder = parent;
      folder !== '';
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
    )
      if (packages[`${folder}/node_modules/${name}`]) return `${folder}/node_modules/${name}`
    return `node_modules/${name}`
  }
  for (const name of Object.keys(root.dependencies)) keep('', name)
  const { name, version, engines, dependencies } = root
  const packagesKept: Readonly<Record<string, Omit<Bundled, 'name'>>> = {
    '': { name, version, dependencies, engines } as Bundled,
    ...Object.fromEntries([...kept].sort()),
  }
  return { name, version, lockfileVersion: 3, requires: true, packages: packagesKept }
}

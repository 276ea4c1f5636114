/**
 * Bundles a program into a folder: ASCII text that keeps its names, with the notices of all packages inside, as their
 * licences require. Used by every program that is shipped; it returns which packages are inside (sbom.ts).
 */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { z } from 'zod'

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string().optional() })

/** A package whose code is in a bundle. */
export type Bundled = z.output<typeof manifestSchema>

export type BundleOptions = {
  /** Entry files by the names that they get. */
  readonly input: Readonly<Record<string, string>>
  readonly dist: string
  readonly format: 'cjs' | 'esm'
  readonly external?: readonly string[]
  /** Modules that others take the place of. */
  readonly alias?: Readonly<Record<string, string>>
}

export async function writeBundle(options: BundleOptions): Promise<readonly Bundled[]> {
  const { input, dist, format, external = [], alias = {} } = options
  const bundle = await rolldown({
    input: { ...input },
    platform: 'node',
    external: [...external],
    resolve: { alias: { ...alias } },
  })
  const ending = format === 'cjs' ? 'cjs' : 'js'
  const { output } = await bundle.write({
    dir: dist,
    cleanDir: true,
    format,
    // Names stay: stack traces need them.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    entryFileNames: `[name].${ending}`,
    chunkFileNames: `[name]-[hash].${ending}`,
  })
  await bundle.close()
  const chunks = output.filter((file) => file.type === 'chunk')
  for (const { fileName, code } of chunks) writeFileSync(join(dist, fileName), toAscii(code))
  const folders = foldersOf(chunks.flatMap(({ moduleIds }) => moduleIds))
  writeFileSync(join(dist, 'third-party.txt'), folders.map(noticeOf).join('\n'))
  copyFileSync(join(import.meta.dirname, '../LICENSE'), join(dist, 'LICENSE'))
  return folders.map(manifestOf)
}

/** The packages that modules belong to, each once, in the order of their names. */
function foldersOf(modules: readonly string[]): readonly string[] {
  const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? [])
  const byName = (folder: string) => `${folder.split('/node_modules/').at(-1)} ${folder}`
  return [...new Set(folders)].sort((one, other) => (byName(one) < byName(other) ? -1 : 1))
}

function manifestOf(folder: string): Bundled {
  return manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
}

/** A package without any licence would be shipped without its notice, so this fails. */
function noticeOf(folder: string): string {
  const { name, version, license } = manifestOf(folder)
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  if (!file && !license) throw new Error(`${name} has no licence`)
  const text = file ? readFileSync(join(folder, file), 'utf8') : `${license}, says its package.json.\n`
  return `${name} ${version}\n\n${text}`
}

/** One letter beyond Latin-1 makes V8 keep the whole text in two bytes a letter; an escape means the same. */
function toAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

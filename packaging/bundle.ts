/**
 * Bundles a program into a folder: ASCII text that keeps its names, with the notices of all packages inside, as their
 * licences require. Used by every program that is shipped; it returns which packages are inside (sbom.ts).
 */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { type Bundled, noticesOf, packagesOf } from './materials.ts'

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
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds)
  writeFileSync(join(dist, 'third-party.txt'), noticesOf(modules))
  copyFileSync(join(import.meta.dirname, '../LICENSE'), join(dist, 'LICENSE'))
  return packagesOf(modules)
}

/** One letter beyond Latin-1 makes V8 keep the whole text in two bytes a letter; an escape means the same. */
function toAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Which packages are in a bundle, and what their licences want to be said: by the modules that the bundler took in. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string().optional() })

/** A package whose code is in a bundle. */
export type Bundled = z.output<typeof manifestSchema>

/** @param modules their files, as bundlers name them; those of no package are left out */
export function packagesOf(modules: readonly string[]): readonly Bundled[] {
  return foldersOf(modules).map(manifestOf)
}

/** The notices of all packages. Throws for a package without any licence: it would be shipped without its notice. */
export function noticesOf(modules: readonly string[]): string {
  return foldersOf(modules).map(noticeOf).join('\n')
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

function noticeOf(folder: string): string {
  const { name, version, license } = manifestOf(folder)
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  if (!file && !license) throw new Error(`${name} has no licence`)
  const text = file ? readFileSync(join(folder, file), 'utf8') : `${license}, says its package.json.\n`
  return `${name} ${version}\n\n${text}`
}

/**
 * Makes dist/ for the published package: one bundle without dependencies to install (and with only the parts of zod
 * that are used, which saves a running agent 12 MB), its chunks loaded when a command needs them. The licences of what
 * is in the bundle go along, as they ask. `open` stays outside: it carries a script file of its own.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const here = import.meta.dirname
const dist = join(here, 'dist')

const bundle = await rolldown({ input: join(here, 'main.ts'), platform: 'node', external: ['open'] })
const { output } = await bundle.write({ dir: dist, cleanDir: true, format: 'esm' })
await bundle.close()

const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
const packages = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))
writeFileSync(join(dist, 'third-party.txt'), [...packages].sort().map(noticeOf).join('\n'))
copyFileSync(join(here, '../LICENSE'), join(dist, 'LICENSE'))

/** A package without a licence file would be shipped without its notice: that must not pass unseen. */
function noticeOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  if (!file || !existsSync(join(folder, file))) throw new Error(`${manifest.name} has no licence file`)
  return `${manifest.name} ${manifest.version}\n\n${readFileSync(join(folder, file), 'utf8')}`
}

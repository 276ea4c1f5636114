/**
 * Makes dist/ for the published package, CommonJS in ASCII (why: relay-vm/build.ts): one bundle without dependencies to
 * install (and with only the used parts of zod, which saves a running agent 12 MB), its chunks loaded when a command
 * needs them. The licences of the bundled code are included, as they require. `open` stays outside: it has its own
 * script file.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const here = import.meta.dirname
const dist = join(here, 'dist')

const bundle = await rolldown({ input: join(here, 'main.ts'), platform: 'node', external: ['open'] })
const { output } = await bundle.write({
  dir: dist,
  cleanDir: true,
  format: 'cjs',
  // Keep names, which make stack traces readable.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name]-[hash].cjs',
})
await bundle.close()
for (const file of output)
  if (file.type === 'chunk') writeFileSync(join(dist, file.fileName), toAscii(file.code))

const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
const packages = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))
writeFileSync(join(dist, 'third-party.txt'), [...packages].sort().map(noticeOf).join('\n'))
copyFileSync(join(here, '../LICENSE'), join(dist, 'LICENSE'))

/** A package without a licence file would be shipped without its notice, so this fails. */
function noticeOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
  if (!file || !existsSync(join(folder, file))) throw new Error(`${manifest.name} has no licence file`)
  return `${manifest.name} ${manifest.version}\n\n${readFileSync(join(folder, file), 'utf8')}`
}

/** Everything beyond ASCII is in texts and patterns, where an escape means the same. */
function toAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

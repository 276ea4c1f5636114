/**
 * Makes dist/relay.cjs: the relay in one file for `node dist/relay.cjs <relay.json>`, with chunks beside it for what
 * few relays need. It is CommonJS, because an ES module that imports `node:http` makes Node load all of `fetch` too (8
 * MB), and also the module loader. It is ASCII, because one letter beyond Latin-1 makes V8 keep the whole text in two
 * bytes a letter. docs/decisions/0028-one-file-for-each-daemon.md
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const dist = join(import.meta.dirname, 'dist')

const bundle = await rolldown({ input: { relay: join(import.meta.dirname, 'main.ts') }, platform: 'node' })
const { output } = await bundle.write({
  dir: dist,
  cleanDir: true,
  format: 'cjs',
  // Names stay: stack traces need them.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name]-[hash].cjs',
})
await bundle.close()
for (const file of output)
  if (file.type === 'chunk') writeFileSync(join(dist, file.fileName), toAscii(file.code))

/** All letters beyond ASCII are in strings and patterns, where an escape means the same. */
function toAscii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

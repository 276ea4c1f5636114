#!/usr/bin/env node
/*
 * Starts ptun. Plain JavaScript that Node 14.0 can read, so that an old Node says kindly that it is too old; names like
 * node:fs it does not know (ptun.test.ts).
 * In the repository it runs the TypeScript as it is; in the published package there is only dist/.
 */
// biome-ignore lint/style/useNodejsImportProtocol: Node before 14.13 does not know it.
import fs from 'fs'
// biome-ignore lint/style/useNodejsImportProtocol: Node before 14.13 does not know it.
import module from 'module'

var wanted = 24
var found = process.versions.node

if (parseInt(found, 10) < wanted) {
  process.stderr.write(
    'ptun needs Node.js ' +
      wanted +
      ' or newer, and this is ' +
      found +
      ' (' +
      process.execPath +
      '): run "nvm install ' +
      wanted +
      '", or get it from https://nodejs.org\n',
  )
  process.exit(4)
}

// Compiled code is kept between runs: a quicker start, and in the repository no type stripping the second time.
module.enableCompileCache()

var source = new URL('main.ts', import.meta.url)
// The bundle is CommonJS, which takes less memory (build.ts).
var load = fs.existsSync(source)
  ? import(source.href)
  : Promise.resolve(module.createRequire(import.meta.url)('./dist/main.cjs'))

void load.then((ptun) => ptun.run(process.argv.slice(2), process))

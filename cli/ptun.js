#!/usr/bin/env node
/*
 * Starts ptun. Plain JavaScript of the oldest kind, so that an old Node can read it and say kindly that it is too old.
 * In the repository it runs the TypeScript as it is; in the published package there is only dist/.
 */
import fs from 'node:fs'
import module from 'node:module'
import path from 'node:path'
import url from 'node:url'

var wanted = 24
var found = process.versions.node

if (parseInt(found, 10) < wanted) {
  process.stderr.write(
    'ptun needs Node.js ' +
      wanted +
      ' or newer; this is Node.js ' +
      found +
      ' (' +
      process.execPath +
      ').\n' +
      'Get it with your package manager or version manager (nvm install ' +
      wanted +
      '), or from https://nodejs.org.\n',
  )
  process.exit(4)
}

// Compiled code is kept between runs: a quicker start, and in the repository no type stripping the second time.
module.enableCompileCache()

var here = path.dirname(url.fileURLToPath(import.meta.url))
var source = path.join(here, 'main.ts')
// The bundle is CommonJS, which takes less memory (build.ts).
var load = fs.existsSync(source)
  ? import(url.pathToFileURL(source).href)
  : Promise.resolve(module.createRequire(import.meta.url)('./dist/main.cjs'))

void load.then((ptun) => ptun.run(process.argv.slice(2), process))

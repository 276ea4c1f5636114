/* Starts ptun as its published launcher does, without looking for the source first. */
require('node:module').enableCompileCache()
void require('../cli/dist/main.cjs').run(process.argv.slice(2), process)

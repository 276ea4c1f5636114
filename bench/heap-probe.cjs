/* For `--require`: at SIGURG it collects all garbage and writes the size of V8's heap to PT_HEAP_FOLDER/<pid>. */
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
process.on('SIGURG', () => {
  // Twice: finalizers of the first round make more garbage.
  collect()
  collect()
  const file = join(process.env.PT_HEAP_FOLDER ?? '.', String(process.pid))
  writeFileSync(file, String(process.memoryUsage().heapUsed))
})

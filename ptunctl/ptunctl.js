#!/usr/bin/env node
/* Starts ptunctl from a checkout, with the exit code of what it did. */
import module from 'node:module'
import process from 'node:process'

const wanted = 24
if (Number.parseInt(process.versions.node, 10) < wanted) {
  process.stderr.write(
    `ptunctl needs Node.js ${wanted} or newer; this is Node.js ${process.versions.node} (${process.execPath}).\n` +
      'The checkout has one after npm ci: export PATH="$PWD/node_modules/.bin:$PATH" at its top.\n',
  )
  process.exit(4)
}
module.enableCompileCache()
const { outliveOutputOf } = await import('@porttunneler/shared/base/outlive-output')
const { run, tellFailure } = await import('./main.ts')
outliveOutputOf(process)

const args = process.argv.slice(2)
// An SDK's own work in the background, which no call of ours waits for.
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.once(event, (error) => end(tellFailure(error, args.includes('--json'), process)))
end(await run(args, process))

/* Calls that were given up would keep the process for minutes; what was said gets out first, or is told to have
 failed. */
function end(code) {
  process.exitCode = code
  // A stream tells of its failure only after it has called back.
  process.stdout.write('', () =>
    setImmediate(() => process.stderr.write('', () => setImmediate(() => process.exit()))),
  )
}

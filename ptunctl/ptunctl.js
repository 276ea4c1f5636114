#!/usr/bin/env node
/* Starts ptunctl from a checkout, with the exit code of what it did. */
import module from 'node:module'
import process from 'node:process'

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

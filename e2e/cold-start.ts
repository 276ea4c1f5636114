/** `npm run cold-start`: import time and memory of each function's instance, the median of seven starts. */
import process from 'node:process'
import { buildWhatIsStale } from './cloud-local/builds.ts'
import { functionTargets, measureColdStart } from './harness/cold-start.ts'

const starts = 7

await buildWhatIsStale((workspace) => void process.stderr.write(`Building ${workspace}.\n`))
process.stdout.write('function        import     memory\n')
for (const target of functionTargets) {
  const measured = []
  for (let start = 0; start < starts; start++) measured.push(await measureColdStart(target))
  const ms = median(measured.map(({ importMs }) => importMs))
  const megabytes = median(measured.map(({ rssBytes }) => rssBytes)) / 1e6
  process.stdout.write(
    `${target.padEnd(13)} ${ms.toFixed(0).padStart(5)} ms ${megabytes.toFixed(0).padStart(7)} MB\n`,
  )
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/**
 * `npm test` after the check: all that takes long, in two runs side by side. In one, what measures time or loads the
 * machine, a file after the other; in the other the suites of platforms, models and fuzzers, and what mostly waits for
 * a browser or an emulator. What the second has to say follows when the first is done.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setup } from './global-setup.ts'

const root = join(import.meta.dirname, '..')
/** Files whose figures would suffer, or whose load others would suffer from, if they ran beside one another. */
const heavy = [
  'chaos',
  'hostile',
  'network',
  // Neither loads the machine much, but both take a minute: the two runs shall end together.
  'outbound-proxy',
  'refusals',
  'restart',
  'rolling-restart',
  'standalone',
  'upgrade',
].map((name) => `e2e/${name}.test.ts`)
const light = globSync('e2e/**/*.test.ts', { cwd: root }).filter(
  (file) => !heavy.includes(file) && !/node_modules|e2e\/repo\//.test(file),
)
const suites = ['.contract.test.ts', '.model.test.ts', '.fuzz.test.ts']

function run(
  projects: readonly string[],
  files: readonly string[],
  output: 'inherit' | 'pipe',
): ChildProcess {
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...files]
  return spawn('vitest', args, {
    cwd: root,
    stdio: ['ignore', output, output],
    env: { ...process.env, PT_CONSOLE_BUILT: '1' },
  })
}

async function ended(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  child.once('error', () => resolve(1)).once('close', (code) => resolve(code ?? 1))
  return promise
}

setup()
const beside = run(['contract', 'e2e'], [...suites, ...light], 'pipe')
const words = Promise.all([beside.stdout, beside.stderr].map((stream) => (stream ? buffer(stream) : '')))
const besideEnded = ended(beside)
const exits = [await ended(run(['e2e'], heavy, 'inherit')), await besideEnded]
for (const text of await words) process.stdout.write(text)
process.exitCode = Math.max(...exits)

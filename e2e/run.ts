/**
 * `npm test` after the check: the long tests, in three parallel runs. The first has tests that measure time or load
 * the machine, one file after the other, and then those of the cloud stack. The second has programs that mostly wait
 * for one another, or for a browser. The third has the suites of platforms, models and fuzzers, and tests that wait for
 * an emulator. The output of the last two follows when the first is done.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setup } from './global-setup.ts'

const root = join(import.meta.dirname, '..')
const named = (...names: readonly string[]) => names.map((name) => `e2e/${name}.test.ts`)
/** Files whose figures would suffer, or make others suffer, if they ran beside one another. */
const heavy = named('chaos', 'hostile', 'network', 'restart', 'standalone', 'upgrade')
/** They mostly wait, most of them for half a minute or more: two run at a time. */
const waiting = named(
  'console',
  'container',
  'deb',
  'description',
  'domains',
  'end-to-end',
  'gone-agents',
  'http2-attacks',
  'last-words',
  'last-words-paths',
  'local-authority',
  'outbound-proxy',
  'package',
  'refusals',
  'refusals-alone',
  'refusals-relay',
  'relay-vm',
  'rolling-restart',
  'social',
  'walk',
)
const others = globSync('e2e/**/*.test.ts', { cwd: root }).filter(
  (file) => ![...heavy, ...waiting].includes(file) && !/node_modules|e2e\/repo\//.test(file),
)
const suites = ['.contract.test.ts', '.model.test.ts', '.fuzz.test.ts']

function run(
  projects: readonly string[],
  files: readonly string[],
  output: 'inherit' | 'pipe',
  workers = 1,
): ChildProcess {
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...files]
  return spawn('vitest', args, {
    cwd: root,
    stdio: ['ignore', output, output],
    env: {
      ...process.env,
      PT_BUILT: '1',
      PT_E2E_WORKERS: String(workers),
      // The programs under test are started some hundred times: Node need not compile again what it has compiled once.
      NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'),
    },
  })
}

/** The cloud stack has packages of its own, larger than all others together. */
function mayTestStack(): boolean {
  if (existsSync(join(root, 'cdktf/node_modules'))) return true
  const missing = 'The cloud stack is not tested: run `npm ci` in cdktf, and install Terraform 1.11 or later'
  if (process.env.CI) throw new Error(missing)
  process.stdout.write(`${missing}\n`)
  return false
}

async function ended(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  child.once('error', () => resolve(1)).once('close', (code) => resolve(code ?? 1))
  return promise
}

setup()
const hasStack = mayTestStack()
const beside = [run(['e2e'], waiting, 'pipe', 2), run(['contract', 'e2e'], [...suites, ...others], 'pipe')]
const words = beside
  .flatMap(({ stdout, stderr }) => [stdout, stderr])
  .map((stream) => stream && buffer(stream))
const besideEnded = Promise.all(beside.map(ended))
const exits = [await ended(run(['e2e'], heavy, 'inherit'))]
if (hasStack) exits.push(await ended(run(['stack'], ['cdktf/'], 'inherit')))
exits.push(...(await besideEnded))
for (const text of await Promise.all(words)) process.stdout.write(text ?? '')
process.exitCode = Math.max(...exits)

/**
 * `npm test` after the check: the long tests, in two parallel runs that share one pair of Google's emulators. The first
 * has the tests that measure time or load the machine, and a few more, one file after the other. The second has all
 * others, three files at a time, the longest first (e2e/longest-first.ts), so that no long one is left over at the end:
 * programs that mostly wait for one another, suites of platforms, models and fuzzers, and the cloud stack. Its output
 * follows when the first is done.
 *
 * `npm run test:long` is the same with every suite on every platform, every pool and every path (breadth.ts). Nothing
 * runs beside its first run, so what it says about times counts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { EmulatorsMissing, startEmulators } from '../functions/testing/emulators.ts'
import { isWhole } from './breadth.ts'
import { buildWhatIsStale } from './cloud-local/builds.ts'
import { setup } from './global-setup.ts'

const root = join(import.meta.dirname, '..')
/** Files whose figures would suffer, or make others suffer, if they ran beside one another. */
const measuring = ['chaos', 'hostile', 'network', 'standalone', 'upgrade']
/** They may run anywhere. Without them the first run would end after 240 s, and the second after 420 s. */
const balancing = isWhole ? [] : ['refusals', 'restart', 'rolling-restart']
const alone = [...measuring, ...balancing].map((name) => `e2e/${name}.test.ts`)
const others = globSync('e2e/**/*.test.ts', { cwd: root, exclude: ['e2e/year/**'] }).filter(
  (file) => !alone.includes(file) && !/node_modules|e2e\/repo\//.test(file),
)
const suites = ['.contract.test.ts', '.model.test.ts', '.fuzz.test.ts']

type Run = {
  readonly projects: readonly string[]
  readonly files: readonly string[]
  /** Files at a time. */
  readonly workers: number
  readonly output: 'inherit' | 'pipe'
  readonly env: Readonly<Record<string, string>>
}

function run({ projects, files, workers, output, env }: Run): ChildProcess {
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...files]
  return spawn('vitest', args, {
    cwd: root,
    stdio: ['ignore', output, output],
    env: {
      ...process.env,
      ...env,
      PT_WORKERS: String(workers),
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

/** One pair for all tests. Where it cannot be started, emulators.setup.ts says so. */
async function emulatorsOfAll(): Promise<Awaited<ReturnType<typeof startEmulators>> | undefined> {
  try {
    return await startEmulators({ env: process.env })
  } catch (error) {
    if (error instanceof EmulatorsMissing) return undefined
    throw error
  }
}

async function ended(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  child.once('error', () => resolve(1)).once('close', (code) => resolve(code ?? 1))
  return promise
}

const stack = mayTestStack() ? { projects: ['stack'], files: ['cdktf/'] } : { projects: [], files: [] }
const [emulators] = await Promise.all([emulatorsOfAll(), setup()])
// Two tests at a time would both build the functions.
await buildWhatIsStale(() => undefined)
const env = emulators && { PT_FIRESTORE_EMULATOR: emulators.firestore, PT_PUBSUB_EMULATOR: emulators.pubsub }
const startAlone = () =>
  ended(run({ projects: ['e2e'], files: alone, workers: 1, output: 'inherit', env: { ...env } }))
const exits: number[] = []
if (isWhole) exits.push(await startAlone())
const beside = run({
  projects: ['contract', 'e2e', ...stack.projects],
  files: [...suites, ...others, ...stack.files],
  workers: 3,
  output: 'pipe',
  env: { ...env },
})
const words = [beside.stdout, beside.stderr].map((stream) => stream && buffer(stream))
const besideEnded = ended(beside)
if (!isWhole) exits.push(await startAlone())
exits.push(await besideEnded)
for (const text of await Promise.all(words)) process.stdout.write(text ?? '')
await emulators?.stop()
process.exitCode = Math.max(...exits)

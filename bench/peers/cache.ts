/**
 * Peers are built from their registries, once, into a folder outside the repository: PT_BENCH_PEERS, else
 * porttunneler-peers under XDG_CACHE_HOME or the system's temporary folder. One job at a low priority, because
 * a benchmark is often run beside other work.
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const run = promisify(execFile)
const buildMs = 30 * 60_000

const cacheFolder =
  process.env.PT_BENCH_PEERS ?? join(process.env.XDG_CACHE_HOME ?? tmpdir(), 'porttunneler-peers')

export type PeerSource = {
  readonly name: string
  readonly version: string
  readonly programs: readonly string[]
  /** `isLockOld`: today's compilers refuse what its lock file names, so the newest fitting versions are taken. */
  readonly from:
    | { readonly registry: 'crates'; readonly crate: string; readonly isLockOld: boolean }
    /** `packages` are below the module; each makes one of `programs`. */
    | { readonly registry: 'go'; readonly module: string; readonly packages: readonly string[] }
}

/** The folder with the peer's programs, built on the first call. @throws why it cannot be built */
export async function builtPeer(source: PeerSource, say: (line: string) => void): Promise<string> {
  const root = join(cacheFolder, `${source.name}-${source.version}`)
  const bin = join(root, 'bin')
  if (source.programs.every((program) => existsSync(join(bin, program)))) return bin
  const tool = source.from.registry === 'go' ? 'go' : 'cargo'
  if (findProgram(tool) === undefined) throw new Error(`${tool} is not installed`)
  say(`building ${source.name} ${source.version} into ${root}; this happens once and takes minutes`)
  mkdirSync(bin, { recursive: true })
  try {
    if (source.from.registry === 'go') await buildGo(source.version, source.from, bin)
    else await buildCrate(source.version, source.from, root)
  } catch (error) {
    throw new Error(`it does not build: ${lastLines(error)}`)
  }
  return bin
}

/**
 * Builds in the module cache, with the module as the main one, so that its own go.mod applies, with the forks that
 * replace dependencies. `go install module@version` refuses such modules.
 */
async function buildGo(
  version: string,
  { module, packages }: { readonly module: string; readonly packages: readonly string[] },
  bin: string,
): Promise<void> {
  const env = { ...process.env, GOFLAGS: '-p=1 -mod=readonly' }
  const { stdout } = await run('go', ['mod', 'download', '-json', `${module}@v${version}`], {
    env,
    cwd: tmpdir(),
    timeout: buildMs,
  })
  const { Dir: folder } = z.object({ Dir: z.string() }).parse(JSON.parse(stdout))
  const args = ['go', 'build', '-trimpath', '-o', `${bin}/`, ...packages]
  await run('nice', ['-n', '10', ...args], { env, cwd: folder, timeout: buildMs })
}

async function buildCrate(
  version: string,
  { crate, isLockOld }: { readonly crate: string; readonly isLockOld: boolean },
  root: string,
): Promise<void> {
  const lock = isLockOld ? [] : ['--locked']
  const args = ['install', '--root', root, ...lock, '--jobs', '1', `${crate}@${version}`]
  await run('nice', ['-n', '10', 'cargo', ...args], { timeout: buildMs, maxBuffer: 64 * 1024 * 1024 })
}

function lastLines(error: unknown): string {
  const said = z.object({ stderr: z.string() }).safeParse(error).data?.stderr
  const text = said?.trim() || (error instanceof Error ? error.message : String(error))
  return text.split('\n').slice(-3).join(' | ')
}

/** The full path of a program on PATH or in the system's own folders. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Makes dist/ for the published package, CommonJS in ASCII (why: relay-vm/build.ts): one bundle without dependencies to
 * install (and with only the used parts of zod, which saves a running agent 12 MB), its chunks loaded when a command
 * needs them. The licences of the bundled code are included, as they require. `open` stays outside: it has its own
 * script file. The page of the inspector lies beside it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeBundle } from '@porttunneler/packaging/bundle'
import { type Bundled, packagesOf } from '@porttunneler/packaging/materials'

const here = import.meta.dirname
const web = join(here, '../web')
/** Its script and styles are 80 kB; with a font it may double. Everybody who installs ptun carries it. */
const pageBytesMax = 200_000

/** @returns the packages inside */
export async function buildPtun(dist: string): Promise<readonly Bundled[]> {
  const bundled = await writeBundle({
    input: { main: join(here, 'main.ts') },
    dist,
    format: 'cjs',
    external: ['open'],
  })
  return [...bundled, ...buildPage(join(dist, 'inspector'))]
}

/** @throws Error if the page has become too heavy */
function buildPage(folder: string): readonly Bundled[] {
  const args = ['build', '--config', 'inspector/vite.config.ts', '--outDir', folder, '--emptyOutDir']
  // Its own speed is nobody's concern here.
  execFileSync('npx', ['--no-install', 'vite', ...args], { cwd: web, stdio: ['ignore', 'ignore', 'inherit'] })
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const bytes = files
    .filter((name) => !name.endsWith('third-party.txt'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  if (bytes > pageBytesMax)
    throw new Error(`the inspector's page has ${bytes} bytes, more than ${pageBytesMax}`)
  // Its own notices list the same (web/inspector/vite.config.ts).
  return packagesOf(['preact', 'wouter-preact', 'regexparam', 'tailwindcss'].map(manifestOf))
}

/** npm keeps a workspace's packages beside it, or for all together. */
function manifestOf(name: string): string {
  const own = join(web, 'node_modules', name, 'package.json')
  return existsSync(own) ? own : join(here, '../node_modules', name, 'package.json')
}

if (import.meta.main) await buildPtun(join(here, 'dist'))

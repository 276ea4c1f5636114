/**
 * Makes dist/ for the published package, CommonJS in ASCII (why: relay-vm/build.ts): one bundle without dependencies to
 * install (and with only the used parts of zod, which saves a running agent 12 MB), its chunks loaded when a command
 * needs them. The licences of the bundled code are included, as they require. `open` stays outside: it has its own
 * script file.
 */
import { join } from 'node:path'
import { writeBundle } from '@porttunneler/packaging/bundle'
import type { Bundled } from '@porttunneler/packaging/materials'

const here = import.meta.dirname

/** @returns the packages inside */
export function buildPtun(dist: string): Promise<readonly Bundled[]> {
  return writeBundle({ input: { main: join(here, 'main.ts') }, dist, format: 'cjs', external: ['open'] })
}

if (import.meta.main) await buildPtun(join(here, 'dist'))

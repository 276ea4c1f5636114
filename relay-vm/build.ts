/**
 * Makes dist/relay.cjs: the relay in one file for `node dist/relay.cjs <relay.json>`, with chunks beside it for what
 * few relays need. It is CommonJS, because an ES module that imports `node:http` makes Node load all of `fetch` too (8
 * MB), and also the module loader. docs/decisions/0028-one-file-for-each-daemon.md
 */
import { join } from 'node:path'
import { writeBundle } from '@porttunneler/packaging/bundle'
import type { Bundled } from '@porttunneler/packaging/materials'

const here = import.meta.dirname

/** @returns the packages inside */
export function buildRelay(dist: string): Promise<readonly Bundled[]> {
  return writeBundle({ input: { relay: join(here, 'main.ts') }, dist, format: 'cjs' })
}

if (import.meta.main) await buildRelay(join(here, 'dist'))

/** Clocks of the programs that a walk starts, which it sets ahead: nobody waits for days. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { clockPreload } from '../harness/clock-preload.ts'
import { temporaryFolder } from '../harness/standalone.ts'

export type Clocks = {
  /** For the environment of the program; its children inherit it. */
  readonly env: { readonly NODE_OPTIONS: string }
  set(aheadMs: number): void
  /** Sets the clock of this process as well, for what runs in it: a sign-in service whose tokens have times. */
  setHere(): Promise<unknown>
}

/** Its two small files stay as long as this process, because it may read them. */
export function makeClocks(): Clocks {
  const folder = temporaryFolder('clocks')
  const offset = join(folder, 'offset')
  const preload = join(folder, 'clock.mjs')
  writeFileSync(offset, '0')
  writeFileSync(preload, clockPreload(offset))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return {
    env: { NODE_OPTIONS: `--import file://${preload}` },
    set: (aheadMs) => writeFileSync(offset, `${aheadMs}`),
    setHere: () => import(pathToFileURL(preload).href),
  }
}

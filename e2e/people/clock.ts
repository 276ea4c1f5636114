/** Clocks of the programs that a walk starts, which it sets ahead: nobody waits for days. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clockPreload } from '../harness/clock-preload.ts'

export type Clocks = {
  /** For the environment of the program; its children inherit it. */
  readonly env: { readonly NODE_OPTIONS: string }
  set(aheadMs: number): void
}

/** @param folder keeps two small files as long as the programs run */
export function makeClocks(folder: string): Clocks {
  const offset = join(folder, 'offset')
  const preload = join(folder, 'clock.mjs')
  writeFileSync(offset, '0')
  writeFileSync(preload, clockPreload(offset))
  return {
    env: { NODE_OPTIONS: `--import file://${preload}` },
    set: (aheadMs) => writeFileSync(offset, `${aheadMs}`),
  }
}

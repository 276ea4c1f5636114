/**
 * Which cases of a suite of the domain a store has to pass. Its races hang on how the store decides between callers at
 * once, so they are tried on every store. Its rules have one caller at a time: a store that keeps the promises of
 * store.contract.ts cannot change their result, so a slow one is spared them unless `npm run test:long` runs.
 */
import { test } from 'vitest'
import type { Store } from '../control/platform.ts'
import { isWhole } from './breadth.ts'
import { type MakeStore, withStore } from './store.contract.ts'

export type Cases = 'all' | 'races'

/** What a store behind an emulator is tried with. */
export const ofSlowStores: Cases = isWhole ? 'all' : 'races'

type Declare<S> = (title: string, run: (stage: S) => Promise<void>) => void

/** Declares cases, each on a new store with what `stageOf` puts into it. A rule that is spared shows as skipped. */
export function casesOn<S>(
  make: MakeStore,
  stageOf: (store: Store) => S | Promise<S>,
  cases: Cases,
): { readonly race: Declare<S>; readonly rule: Declare<S> } {
  const declare =
    (isSpared: boolean): Declare<S> =>
    (title, run) =>
      test.skipIf(isSpared)(title, () => withStore(make, async (store) => run(await stageOf(store))), 120_000)
  return { race: declare(false), rule: declare(cases === 'races') }
}

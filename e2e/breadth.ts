/**
 * How much of a matrix a run takes. `npm test` makes one short journey of each kind; `npm run test:long` sets
 * PT_E2E_SUITES=all and takes every suite on every platform, every pool, every path (docs/decisions/0056).
 */
import { isWhole } from '@porttunneler/shared/testing/breadth'
import { test } from 'vitest'
import { patienceMs } from './harness/events.ts'

export { isWhole }

/** Tests whose promise a quicker one holds in `npm test`. */
export const longTest = test.runIf(isWhole)

/** @returns `all` with `npm run test:long`, else those that stand for their kind */
export function breadthOf<T>(all: readonly T[], chosen: readonly T[]): readonly T[] {
  return isWhole ? all : chosen
}

/** A time that is promised of a machine with a free core, ms. Beside other tests only that it ends is promised. */
export function promisedMs(ms: number): number {
  return isWhole ? ms : Math.max(ms, patienceMs)
}

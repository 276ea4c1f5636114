/**
 * How much of a matrix a run takes. `npm test` makes one short journey of each kind; `npm run test:long` sets
 * PT_E2E_SUITES=all and takes every suite on every platform, every pool, every path (docs/decisions/0056).
 */
export const isWhole = process.env.PT_E2E_SUITES === 'all'

/** @returns `all` with `npm run test:long`, else those that stand for their kind */
export function breadthOf<T>(all: readonly T[], chosen: readonly T[]): readonly T[] {
  return isWhole ? all : chosen
}

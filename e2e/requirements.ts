/**
 * Programs that a test needs beyond npm packages. On a bare machine such a test is left out with one line that says
 * what is missing and how to get it; with CI=true everything must be there, so a missing program fails the test.
 */
import { isWhole } from '@porttunneler/shared/testing/breadth'
import { describe, test } from 'vitest'
import { missingOf, type Need, sayMissing } from './harness/installed.ts'

export { programPath } from './harness/installed.ts'

/** A `describe` whose tests need programs. */
export function describeWith(needs: readonly Need[], name: string, body: () => void): void {
  const missing = missingOf(needs)
  if (missing.length === 0) return void describe(name, body)
  const says = sayMissing(missing)
  if (process.env.CI === 'true') {
    test(`${name}: needs ${missing.join(', ')}`, () => {
      throw new Error(says)
    })
    return
  }
  process.stderr.write(`left out: ${name}: ${says}\n`)
  describe.skipIf(true)(name, body)
}

/** One that takes a minute of both cores: with `npm run test:long` alone (docs/decisions/0056). */
export function describeLong(needs: readonly Need[], name: string, body: () => void): void {
  if (isWhole) describeWith(needs, name, body)
  else describe.skipIf(true)(name, body)
}

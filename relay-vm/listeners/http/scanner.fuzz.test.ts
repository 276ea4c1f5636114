import { expect, test } from 'vitest'
import { runCases } from './scanner.fuzz.ts'

test('scanner: what it accepts, llhttp frames in the same way', async () => {
  const { accepted } = await runCases({ seed: 20_261_123, cases: 3_000 })
  // A generator whose inputs are all refused would prove nothing.
  expect(accepted).toBeGreaterThan(1_000)
})

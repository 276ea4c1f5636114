import { expect, test } from 'vitest'
import { runCases } from './request-gate.fuzz.ts'

test('gate: the upstream reads the requests with a password as the relay does, and nothing else', async () => {
  const { accepted } = await runCases({ seed: 20_261_128, cases: 6_000 })
  // A generator whose inputs are all refused would prove nothing.
  expect(accepted).toBeGreaterThan(1_000)
})

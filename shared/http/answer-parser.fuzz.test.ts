import { expect, test } from 'vitest'
import { runCases } from './answer-parser.fuzz.ts'

test('answer parser: what it accepts, llhttp reads in the same way, however the bytes are split', async () => {
  const { whole, broken } = await runCases({ seed: 20_261_130, cases: 3_000 })
  // A generator whose answers are all good, or all bad, would prove nothing.
  expect(whole).toBeGreaterThan(1_000)
  expect(broken).toBeGreaterThan(500)
})

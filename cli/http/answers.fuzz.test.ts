import { expect, test } from 'vitest'
import { runCases } from './answers.fuzz.ts'

test('answers: with stages a client reads what it reads without, but for the fields that they name', async () => {
  const { alike } = await runCases({ seed: 20_261_129, cases: 3_000 })
  expect(alike).toBeGreaterThan(1_000)
})

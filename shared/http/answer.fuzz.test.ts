import { expect, test } from 'vitest'
import { runCases } from './answer.fuzz.ts'

test('answer watch: where it sees the end of an answer, llhttp sees it too', async () => {
  const { whole, refused } = await runCases({ seed: 20_261_129, cases: 3_000 })
  // A generator whose answers are all good, or all bad, would prove nothing.
  expect(whole).toBeGreaterThan(1_000)
  expect(refused).toBeGreaterThan(500)
})

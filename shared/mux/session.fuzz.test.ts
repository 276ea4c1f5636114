import { expect, test } from 'vitest'
import { runCases } from './session.fuzz.ts'

test('session: whatever a peer sends, it lives on or ends with a code, and returns all it held', () => {
  const { sessions } = runCases({ seed: 20_261_123, cases: 200_000 })
  // If all sessions died of the first frame, this would prove nothing.
  expect(200_000 / sessions).toBeGreaterThan(20)
})

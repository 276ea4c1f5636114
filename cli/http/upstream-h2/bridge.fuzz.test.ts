import { expect, test } from 'vitest'
import { runCases } from './bridge.fuzz.ts'

test('bridge: an HTTP/2 upstream gets the requests that llhttp reads in the same bytes, and no others', async () => {
  const { accepted } = await runCases({ seed: 20_261_129, cases: 1_200 })
  // A generator whose inputs are all refused would prove nothing.
  expect(accepted).toBeGreaterThan(250)
})

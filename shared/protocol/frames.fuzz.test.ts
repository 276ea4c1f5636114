import { expect, test } from 'vitest'
import { runCases } from './frames.fuzz.ts'

test('frames: damaged and cut anywhere, they read as the naive decoder reads them, or end with a code', () => {
  const { whole } = runCases({ seed: 20_261_123, cases: 100_000 })
  expect(whole).toBeGreaterThan(10_000)
})

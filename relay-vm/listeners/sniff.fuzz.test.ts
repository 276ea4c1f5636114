import { expect, test } from 'vitest'
import { runCases } from './sniff.fuzz.ts'

test('ClientHello: damaged and cut anywhere, it gets a verdict that more bytes do not reverse', () => {
  const { hellos } = runCases({ seed: 20_261_123, cases: 50_000 })
  expect(hellos).toBeGreaterThan(5_000)
})

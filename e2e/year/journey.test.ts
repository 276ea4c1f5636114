import { expect, test } from 'vitest'
import { runJourney } from './journey.ts'

test('invoices of a winter equal our bills, whatever comes late, twice, or never', async () => {
  const { faults, periods, ledger } = await runJourney({ accounts: 4, days: 74, seed: 3, stepHours: 24 })
  expect(faults).toEqual([])
  expect(periods).toBeGreaterThan(6)
  expect(ledger).toHaveProperty('pro')
  expect(ledger).toHaveProperty('team')
})

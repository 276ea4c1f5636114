import { expect, test } from 'vitest'
import { formatMoney, majorUnits } from './money-text.ts'

test.each([
  ['1250', 'usd', '12.50', 'USD 12.50'],
  ['-5', 'eur', '-0.05', '-EUR 0.05'],
  ['900', 'jpy', '900', 'JPY 900'],
  ['1000', 'isk', '10.00', 'ISK 10'],
])('money: %s of %s is %s', (minor, currency, major, text) => {
  expect(majorUnits(minor, currency)).toBe(major)
  expect(formatMoney(minor, currency).replaceAll('\u00a0', ' ')).toBe(text)
})

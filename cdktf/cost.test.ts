/** The estimate uses the page's prices, and agrees with what the page says of an installation of that size. */
import { expect, test } from 'vitest'
import { costOf } from './cost.ts'
import { readEnvironment } from './read-environment.ts'

const sum = (lines: ReturnType<typeof costOf>) => lines.reduce((total, { dollars }) => total + dollars, 0)

test('prod with 1,000 tunnels costs what docs/cost.md says, give or take a tenth', () => {
  const total = sum(costOf(readEnvironment('prod'), 1_000))
  expect(total).toBeGreaterThan(337 * 0.9)
  expect(total).toBeLessThan(337 * 1.1)
})

test('dev, which nobody uses, costs less than its budget', () => {
  const { budgetDollars } = readEnvironment('dev')
  expect(sum(costOf(readEnvironment('dev'), 0))).toBeLessThan(budgetDollars)
})

test('a machine without a price is refused rather than counted as free', () => {
  const prod = readEnvironment('prod')
  const cells = prod.cells.map((cell) => ({ ...cell, machineType: 'c3-highcpu-8' }))
  expect(() => costOf({ ...prod, cells }, 1)).toThrow('docs/cost.md has no price')
})

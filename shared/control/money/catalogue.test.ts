import { describe, expect, test } from 'vitest'
import { builtInCatalogue } from './built-in.ts'
import { readCatalogue } from './catalogue.ts'
import type { CatalogueFile } from './catalogue-schema.ts'
import { costOf, netOf } from './margins.ts'

const built = builtInCatalogue as CatalogueFile
const { free, pro, team } = builtInCatalogue.plans
if (!free || !pro || !team) throw new Error('the built-in catalogue has three plans')

/** The built-in one with some plans changed. */
const withPlans = (plans: object, more: object = {}) =>
  readCatalogue({ ...built, ...more, plans: { ...built.plans, ...plans } })

describe('catalogue: it refuses', () => {
  const refused: readonly [string, () => unknown, RegExp][] = [
    [
      'a plan that loses money at full use (500 GB at $39)',
      () => withPlans({ team: { ...team, includedGB: 500 } }),
      /plans\.team\.prices\.month\.usd: 39\.00 leaves \$37\.10 a month, and full use costs \$58\.10/,
    ],
    [
      'a free plan that costs more than the operator gives',
      () => withPlans({ free: { ...free, includedGB: 20 } }),
      /plans\.free: at full use it costs \$2\.48 a month, more than costs\.freeMax \(\$1\.00\)/,
    ],
    [
      'transfer below its cost',
      () => readCatalogue({ ...built, transfer: { meter: 'm', perGB: { usd: '0.09' } } }),
      /transfer\.perGB\.usd: 0\.09 leaves \$0\.08, and a GB costs \$0\.09/,
    ],
    [
      'a yearly price that loses what the monthly one earns',
      () => withPlans({ pro: { ...pro, prices: { month: { usd: '9.00' }, year: { usd: '60.00' } } } }),
      /plans\.pro\.prices\.year\.usd/,
    ],
    [
      'an inclusive price that loses money after the highest tax',
      () =>
        readCatalogue({
          ...built,
          taxBehavior: 'inclusive',
          costs: { ...built.costs, vatMax: '0.60' },
        }),
      /plans\.pro\.prices\.year\.usd: 90\.00 leaves/,
    ],
    [
      'half cents',
      () => withPlans({ pro: { ...pro, prices: { month: { usd: '9.005' } } } }),
      /plans\.pro\.prices\.month\.usd: 9\.005 cannot be charged in USD/,
    ],
    [
      'fractions of a krona',
      () => withPlans({ pro: { ...pro, prices: { month: { usd: '9.00', isk: '1250.50' } } } }),
      /isk: 1250\.50 cannot be charged in ISK/,
    ],
    [
      'a plan without the price of a currency that others have',
      () =>
        withPlans(
          { pro: { ...pro, prices: { month: { usd: '9.00', eur: '8.50' } } } },
          { costs: { ...built.costs, usdTo: { eur: '0.86' } } },
        ),
      /plans\.team\.prices\.month: a price is missing; the catalogue sells in usd, eur/,
    ],
    [
      'a currency without its worth in dollars',
      () => withPlans({ pro: { ...pro, prices: { month: { usd: '9.00', eur: '8.50' } } } }),
      /costs\.usdTo\.eur: missing/,
    ],
    [
      'a free plan with a price',
      () => withPlans({ free: { ...free, prices: pro.prices } }),
      /must cost nothing/,
    ],
    [
      'unlimited transfer for sale',
      () => withPlans({ pro: { ...pro, includedGB: 'unlimited' } }),
      /plans\.pro\.includedGB/,
    ],
    [
      'more seats without their price',
      () => withPlans({ team: { ...team, seats: { included: 3, max: 9 } } }),
      /plans\.team\.seats\.prices\.month: missing/,
    ],
    [
      'overage of a plan that is only sold by the year',
      () => withPlans({ pro: { ...pro, prices: { year: { usd: '90.00' } } } }),
      /plans\.pro\.overage: only monthly plans/,
    ],
    [
      'a number as an amount',
      () => withPlans({ pro: { ...pro, prices: { month: { usd: 9 } } } }),
      /expected string/,
    ],
    ['a field it does not know', () => withPlans({ pro: { ...pro, discount: '1' } }), /discount/],
    [
      'a field named like a part of every object',
      () => withPlans({ 'constructor:x': pro }),
      /Invalid key in record/,
    ],
  ]
  test.each(refused)('%s', (_, read, words) => {
    expect(read).toThrow(
      expect.objectContaining({ key: 'plan.catalogue', detail: expect.stringMatching(words) }),
    )
  })
})

test('catalogue: margins are those of the design', () => {
  const left = (plan: typeof pro, of: 'month' | 'year') =>
    Number(netOf(builtInCatalogue, plan.prices[of]?.usd ?? '0', 'usd', of) - costOf(builtInCatalogue, plan)) /
    1e12
  expect(left({ ...pro, includedGB: 40 }, 'month')).toBeCloseTo(2.72, 1)
  expect(left({ ...pro, includedGB: 40 }, 'year')).toBeCloseTo(1.56, 1)
  expect(left(team, 'month')).toBeCloseTo(9.03, 1)
  expect(left({ ...team, includedGB: 500 }, 'month')).toBeCloseTo(-21, 0)
})

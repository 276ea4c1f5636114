import type { Stripe } from 'stripe'
import { describe, expect, test } from 'vitest'
import { priced, taxIn, taxOn } from './money.ts'
import { decimal, int, params, text } from './params.ts'
import { after, periodFrom } from './periods.ts'

describe('stripe test server: declarations', () => {
  test('a schema of parameters compiles only with what the SDK declares', () => {
    // The compiler is the test: an error that is expected and does not come is one.
    params<Stripe.CustomerCreateParams>()({ email: text.optional() })
    // @ts-expect-error the SDK has no such name
    params<Stripe.CustomerCreateParams>()({ e_mail: text.optional() })
    // @ts-expect-error an email is no number
    params<Stripe.CustomerCreateParams>()({ email: int.optional() })
    // On the wire, decimals are texts.
    params<Stripe.PriceCreateParams>()({ unit_amount_decimal: decimal.optional() })
    // @ts-expect-error an answer without its other fields
    const customer: Stripe.Customer = { id: 'cus_1', object: 'customer' }
    expect(customer.id).toBe('cus_1')
  })
})

describe('stripe test server: arithmetic', () => {
  test.each([
    ['0.012', 70_000, 840],
    ['0.012', 4_166, 50],
    ['0.012', 41, 0],
    ['0.012', 42, 1],
    ['0.5', 1, 1],
    ['900', 3, 2_700],
  ])('%s for each of %i is %i', (unit, quantity, amount) => {
    expect(priced(unit, quantity)).toBe(amount)
  })

  test('tax on an amount and tax in it', () => {
    expect([taxOn(900, '0.19'), taxOn(-450, '0.19'), taxIn(1_071, '0.19')]).toEqual([171, -86, 171])
  })

  test('months keep the day of the first, or end on their last', () => {
    const anchor = Date.UTC(2027, 0, 31, 23, 59, 59) / 1_000
    const ends = [1, 2, 3, 13].map((count) =>
      new Date(after(anchor, 'month', count) * 1_000).toISOString().slice(0, 19),
    )
    expect(ends).toEqual([
      '2027-02-28T23:59:59',
      '2027-03-31T23:59:59',
      '2027-04-30T23:59:59',
      '2028-02-29T23:59:59',
    ])
    expect(periodFrom(anchor, 'month', after(anchor, 'month', 40)).end).toBe(after(anchor, 'month', 41))
    expect(periodFrom(anchor, 'year', after(anchor, 'year', 3)).end).toBe(after(anchor, 'year', 4))
  })
})

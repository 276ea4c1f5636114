import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAmount, parseAmount, parseRate, roundRate } from './amounts.ts'
import { bill, includedIn, type Span } from './bill.ts'
import { builtInCatalogue } from './built-in.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const start = Date.UTC(2027, 2, 1, 10, 37)
const end = Date.UTC(2027, 3, 1, 10, 37)
const period = { start, end }
const days = (n: number) => start + n * dayMs
const firstHour = Date.UTC(2027, 2, 1, 11)
const gb = 1_000_000_000n

const span = (given: Partial<Span> = {}): Span => ({
  from: start,
  to: end + dayMs,
  plan: 'pro',
  version: 1,
  interval: 'month',
  seats: 1,
  state: 'active',
  cap: 0n,
  ...given,
})
const billOf = (timeline: readonly Span[], hours: ReadonlyMap<number, bigint> = new Map(), more = {}) =>
  bill({ currency: 'usd', catalogueOf: () => builtInCatalogue, timeline, period, hours, ...more })
const amounts = (timeline: readonly Span[]) =>
  billOf(timeline).lines.map(({ price, amount }) => `${price} ${amount}`)

describe('bill', () => {
  test('a month of a plan is its price, paid at its start', () => {
    expect(billOf([span()])).toMatchObject({
      lines: [{ kind: 'plan', price: 'pt:pro:1:month:usd', isProration: false, amount: 900n }],
      due: 900n,
    })
  })

  test('an upgrade in the middle gives back the rest of the old plan, and takes the rest of the new', () => {
    const half = start + (end - start) / 2
    expect(amounts([span({ to: half }), span({ from: half, plan: 'team', seats: 5 })])).toEqual([
      'pt:pro:1:month:usd 900',
      'pt:pro:1:month:usd -450',
      'pt:team:1:month:usd 1950',
      'pt:team-seats:1:month:usd 900',
    ])
  })

  test('seats beyond the included ones are paid from the second they are added', () => {
    const third = start + (end - start) / 3
    const team = { plan: 'team' }
    expect(
      amounts([span({ ...team, seats: 3, to: third }), span({ ...team, seats: 4, from: third })]),
    ).toEqual(['pt:team:1:month:usd 3900', 'pt:team-seats:1:month:usd 600'])
  })

  test('a trial costs nothing, and includes its own transfer', () => {
    const trial = span({ state: 'trial', cap: 5_000n })
    expect(billOf([trial], new Map([[firstHour, 90n * gb]]))).toMatchObject({ due: 0n })
    expect(includedIn({ catalogueOf: () => builtInCatalogue, timeline: [trial], period })).toBe(2_000n)
  })

  test('transfer beyond the included is sold up to the owner’s cap, which begins at nothing', () => {
    const hours = new Map([[firstHour, 60n * gb]])
    const sold = (cap: bigint) => billOf([span({ cap })], hours).lines.find(({ kind }) => kind === 'transfer')
    expect(sold(0n)).toBeUndefined()
    expect(sold(5_000n)).toMatchObject({
      price: 'pt:transfer:pt_transfer_mb_v1:usd',
      quantity: 10_000n,
      amount: 120n,
    })
    expect(sold(50n)).toMatchObject({ quantity: 4_166n, amount: 50n })
  })

  test('a lowered cap ends further sales, and what was sold before it stays', () => {
    const change = days(10) - (days(10) % hourMs)
    const hours = new Map([
      [firstHour, 60n * gb],
      [change + hourMs, 60n * gb],
    ])
    const spans = [span({ cap: 500n, to: change }), span({ cap: 100n, from: change })]
    expect(billOf(spans, hours).lines.at(-1)).toMatchObject({ quantity: 10_000n, amount: 120n })
  })

  test('the first and the last hour of a subscription are free, those between periods are not', () => {
    const cap = 50_000n
    const around = (hour: number) => new Map([[hour, 90n * gb]])
    const sold = (timeline: Span[], hour: number) =>
      billOf(timeline, around(hour)).lines.some(({ kind }) => kind === 'transfer')
    const ends = [span({ cap, to: days(3) })]
    const next = days(3) - (days(3) % hourMs)
    expect(sold([span({ cap })], firstHour - hourMs)).toBe(false)
    expect(sold(ends, next)).toBe(false)
    expect(sold(ends, next - hourMs)).toBe(true)
    // The period ends at 10:37; the hour from 10:00 is its last, as the subscription goes on.
    expect(sold([span({ cap })], Date.UTC(2027, 3, 1, 10))).toBe(true)
    expect(sold([span({ cap })], Date.UTC(2027, 3, 1, 11))).toBe(false)
  })

  test('a plan that is paid by the year sells no transfer, nor does one whose payment is late', () => {
    const hours = new Map([[firstHour, 90n * gb]])
    for (const given of [{ interval: 'year' }, { state: 'pastDue' }, { state: 'limited' }] as const)
      expect(billOf([span({ cap: 5_000n, ...given })], hours).lines).toHaveLength(1)
  })

  test('credit is used up to what is owed, and never turns into a payment', () => {
    expect(billOf([span()], new Map(), { credit: 300n })).toMatchObject({ credit: 300n, due: 600n, left: 0n })
    expect(billOf([span()], new Map(), { credit: 2_000n, tax: 100n })).toMatchObject({
      credit: 1_000n,
      due: 0n,
      left: 1_000n,
    })
  })

  test('an end at once gives nothing back, and the whole period’s transfer stays included', () => {
    const ended = [span({ cap: 5_000n, to: days(10) })]
    expect(amounts(ended)).toEqual(['pt:pro:1:month:usd 900'])
    const hours = new Map([[firstHour, 60n * gb]])
    expect(billOf(ended, hours).lines.at(-1)).toMatchObject({ kind: 'transfer', quantity: 10_000n })
    // Bought anew before the old period was over: that is another one's.
    const again = [...ended, span({ from: days(20), plan: 'team' })]
    expect(billOf(again, hours, { period: { ...period, cutAt: days(20) } }).lines).toHaveLength(2)
    expect(billOf(again, hours, { period: { ...period, cutAt: days(20) } }).subtotal).toBe(1_020n)
  })

  test('a month that a year replaces gives its rest back, and its transfer stays included as a whole', () => {
    const half = start + (end - start) / 2
    const spans = [span({ cap: 5_000n, to: half }), span({ from: half, to: end, interval: 'year' })]
    const hours = new Map([[firstHour, 60n * gb]])
    const { lines } = billOf(spans, hours, { period: { ...period, cutAt: half } })
    expect(lines.map(({ price, quantity, amount }) => `${quantity} ${price} ${amount}`)).toEqual([
      '1 pt:pro:1:month:usd 900',
      '1 pt:pro:1:month:usd -450',
      '10000 pt:transfer:pt_transfer_mb_v1:usd 120',
    ])
  })

  test('late upgrade: 400 GB, and the larger plan on the last day, saves nearly nothing', () => {
    const hours = new Map([[firstHour, 400n * gb]])
    const last = days(30)
    const stays = billOf([span({ cap: 10_000n })], hours)
    const moves = billOf(
      [span({ cap: 10_000n, to: last }), span({ cap: 10_000n, from: last, plan: 'team' })],
      hours,
    )
    expect(stays.due).toBe(900n + 4_200n)
    expect(stays.due - moves.due).toBeLessThan(100n)
  })
})

const anyHours = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 743 }), fc.bigInt({ min: 0n, max: 3n * gb })), { maxLength: 40 })
  .map((rows) => new Map(rows.map(([hour, bytes]) => [firstHour + hour * hourMs, bytes] as const)))
const anySpans = fc
  .array(
    fc.record({
      at: fc.integer({ min: 1, max: 31 * 86_400 - 1 }),
      plan: fc.constantFrom('pro', 'team'),
      seats: fc.integer({ min: 1, max: 20 }),
      cap: fc.bigInt({ min: 0n, max: 5_000n }),
    }),
    { maxLength: 5 },
  )
  .map((rows) => {
    const changes = [
      { ...rows[0], plan: 'pro', seats: 1, cap: 1_000n, at: 0 },
      ...rows.toSorted((a, b) => a.at - b.at),
    ]
    return changes.flatMap(({ at, ...given }, index): Span[] => {
      const to = changes[index + 1]?.at
      const between = { from: start + at * 1_000, to: to === undefined ? end + dayMs : start + to * 1_000 }
      return between.from < between.to ? [span({ ...given, ...between })] : []
    })
  })

describe('bill, for any timeline and usage:', () => {
  const subtotal = (timeline: readonly Span[], hours: ReadonlyMap<number, bigint>) =>
    billOf(timeline, hours).subtotal

  test('more usage never costs less', () => {
    fc.assert(
      fc.property(anySpans, anyHours, anyHours, (timeline, hours, more) => {
        const sum = new Map(hours)
        for (const [hour, bytes] of more) sum.set(hour, (sum.get(hour) ?? 0n) + bytes)
        expect(subtotal(timeline, sum)).toBeGreaterThanOrEqual(subtotal(timeline, hours))
      }),
    )
  })

  test('the order in which hours are told changes nothing', () => {
    fc.assert(
      fc.property(anySpans, anyHours, (timeline, hours) => {
        expect(billOf(timeline, new Map([...hours].reverse()))).toEqual(billOf(timeline, hours))
      }),
    )
  })

  test('transfer never costs more than the highest cap that was in force', () => {
    fc.assert(
      fc.property(anySpans, anyHours, (timeline, hours) => {
        const sold = billOf(timeline, hours).lines.find(({ kind }) => kind === 'transfer')?.amount ?? 0n
        const caps = timeline.map(({ cap }) => cap)
        expect(sold <= caps.reduce((a, b) => (a > b ? a : b))).toBe(true)
      }),
    )
  })

  test('a span that is cut in two costs the same', () => {
    fc.assert(
      fc.property(anySpans, anyHours, fc.integer({ min: 1, max: 31 * 86_400 - 1 }), (timeline, hours, at) => {
        const cut = start + at * 1_000
        const split = timeline.flatMap((one) =>
          one.from < cut && cut < one.to
            ? [
                { ...one, to: cut },
                { ...one, from: cut },
              ]
            : [one],
        )
        expect(billOf(split, hours)).toEqual(billOf(timeline, hours))
      }),
    )
  })

  test('however often the plan changes, the lines are within half a minor unit of the exact share', () => {
    fc.assert(
      fc.property(anySpans, (timeline) => {
        const flat = billOf(timeline).lines.filter(({ kind }) => kind === 'plan')
        const paid = flat.reduce((sum, { amount }) => sum + amount, 0n)
        const exact = timeline.reduce((sum, { plan, from, to }) => {
          const share = (Math.min(to, end) - from) / (end - start)
          return sum + share * (plan === 'pro' ? 900 : 3_900)
        }, 0)
        expect(Math.abs(Number(paid) - exact)).toBeLessThanOrEqual(0.500001)
      }),
    )
  })

  test('more seats never cost less, and nothing is ever due that is below nothing', () => {
    fc.assert(
      fc.property(anySpans, anyHours, fc.bigInt({ min: 0n, max: 10_000n }), (timeline, hours, credit) => {
        const more = timeline.map((one) => ({ ...one, seats: one.seats + 1 }))
        expect(subtotal(more, hours) >= subtotal(timeline, hours)).toBe(true)
        const { due, left, subtotal: all, credit: used } = billOf(timeline, hours, { credit })
        expect(due >= 0n && left >= 0n).toBe(true)
        expect(all - used + (left - (credit - used))).toBe(due)
      }),
    )
  })
})

describe('amounts', () => {
  test('minor units are those of Stripe, with kronur and dinars in its steps', () => {
    expect(parseAmount('9.00', 'usd')).toBe(900n)
    expect(parseAmount('1200', 'jpy')).toBe(1_200n)
    expect(parseAmount('1250', 'isk')).toBe(125_000n)
    expect(parseAmount('1250.5', 'isk')).toBeUndefined()
    expect(parseAmount('1.235', 'kwd')).toBeUndefined()
    expect(parseAmount('1.23', 'kwd')).toBe(1_230n)
    expect(parseRate('0.12', 'usd') / 1_000n).toBe(12_000_000_000n)
  })

  test('halves are rounded away from zero, to what can be charged', () => {
    const half = 500_000_000_000n
    expect(roundRate(half, 'usd')).toBe(1n)
    expect(roundRate(-half, 'usd')).toBe(-1n)
    expect(roundRate(half - 1n, 'usd')).toBe(0n)
    expect(roundRate(149n * 1_000_000_000_000n, 'isk')).toBe(100n)
  })

  test('they are written as people write them', () => {
    expect(formatAmount(-5n, 'usd')).toBe('-0.05 USD')
    expect(formatAmount(1_200n, 'jpy')).toBe('1200 JPY')
    expect(formatAmount(1_230n, 'kwd')).toBe('1.230 KWD')
  })
})

/** What people do in their year, one story for each kind of thing that can happen to a bill. */
import type { Act } from './person.ts'

export type Fate = {
  readonly name: string
  /** Acts by the day since the sign-up, and the refusal that they must meet. */
  readonly acts: readonly (readonly [day: number, act: Act, refusal?: string])[]
  /** GB on a day, at most. */
  readonly gigabytes: number
}

type Interval = 'month' | 'year'

const buy = (plan: string, seats = 1, interval: Interval = 'month'): Act => ({
  act: 'buy',
  plan,
  seats,
  interval,
})
const change = (plan: string, seats = 1, interval: Interval = 'month'): Act => ({
  act: 'change',
  plan,
  seats,
  interval,
})
const reserve = (name: string): Act => ({ act: 'reserve', name })
const card = (name: string): Act => ({ act: 'card', name: `pm_card_${name}` })

/**
 * The first four are those of the unit test. A story's first three months have all that it is about, and the rest of
 * the year repeats renewals.
 */
export const fates: readonly Fate[] = [
  {
    name: 'pays for transfer up to the cap',
    gigabytes: 6,
    acts: [
      [1, buy('pro')],
      [20, { act: 'cap', text: '5.00' }],
      [80, { act: 'cap', text: '20.00' }],
    ],
  },
  {
    name: 'is given money back, and deletes the account',
    gigabytes: 4,
    acts: [
      [1, buy('pro')],
      [20, { act: 'cap', text: '9.00' }],
      [50, { act: 'refund' }],
      [78, { act: 'close' }],
    ],
  },
  {
    name: 'disputes, and wins it',
    gigabytes: 2,
    acts: [
      [2, buy('pro')],
      [30, card('createDispute')],
      [50, card('visa')],
      [60, { act: 'answer', evidence: 'winning_evidence' }],
      [72, change('team', 3)],
    ],
  },
  {
    name: 'adds seats, and takes some back',
    gigabytes: 4,
    acts: [
      [3, buy('team', 3)],
      [27, change('team', 6)],
      [35, change('team', 9)],
      [60, change('team', 4)],
    ],
  },
  { name: 'stays free', gigabytes: 0.3, acts: [] },
  {
    name: 'reaches the limit, upgrades late, and cancels',
    gigabytes: 1.5,
    acts: [
      [1, reserve('first')],
      [2, reserve('second'), 'quota.reserved_hosts'],
      [9, buy('pro')],
      [30, reserve('second')],
      [40, change('team', 3)],
      [75, change('pro')],
      [130, change('free')],
    ],
  },
  {
    name: 'has a card that fails, and recovers',
    gigabytes: 3,
    acts: [
      [2, buy('pro')],
      [20, { act: 'cap', text: '10.00' }],
      [30, card('chargeCustomerFail')],
      [50, card('visa')],
    ],
  },
  {
    name: 'never pays again, and comes back',
    gigabytes: 2,
    acts: [
      [2, buy('team', 4)],
      [30, card('chargeCustomerFail')],
      [57, change('team', 8), 'billing.open or billing.none'],
      [85, buy('pro')],
    ],
  },
  {
    name: 'disputes, and loses it',
    gigabytes: 2,
    acts: [
      [2, buy('pro')],
      [30, card('createDispute')],
      [50, card('visa')],
      [56, change('team', 3), 'billing.disputed'],
      [60, { act: 'answer', evidence: 'losing_evidence' }],
      [72, change('team', 3), 'billing.none'],
      [80, buy('pro'), 'billing.disputed'],
    ],
  },
  {
    name: 'downgrades, takes it back, and downgrades',
    gigabytes: 3,
    acts: [
      [5, buy('team', 5)],
      [33, change('pro')],
      [36, change('team', 5)],
      [55, change('pro')],
      [90, change('team', 3)],
    ],
  },
  {
    name: 'pays by the year, and later by the month',
    gigabytes: 3,
    acts: [
      [4, buy('pro', 1, 'year')],
      [60, change('team', 3, 'year')],
      [90, change('team', 3)],
    ],
  },
  {
    name: 'goes from months to a year',
    gigabytes: 4,
    acts: [
      [1, buy('pro')],
      [18, { act: 'cap', text: '8.00' }],
      [40, change('pro', 1, 'year')],
    ],
  },
]

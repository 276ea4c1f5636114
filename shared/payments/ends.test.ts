/**
 * Every change that ends a period of what is paid, or a part of it: what was carried before it and not reported yet is
 * billed, or is not, as docs/decisions/0091 says; and afterwards nothing differs from Stripe.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { setAccountStatus } from '../control/accounts.ts'
import { accounts } from '../control/documents.ts'
import { leaveAccount } from '../control/leaving/accounts.ts'
import { builtInCatalogue } from '../control/money/built-in.ts'
import { openPayerStage, type PayerStage } from '../testing/payer-stage.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

let stage: PayerStage
beforeEach(async () => {
  stage = await openPayerStage()
})
afterEach(() => stage.close())

/** To the end of the period, and past the six hours in which its invoice waits for the last reports. */
async function renew(): Promise<void> {
  const { periodEnd } = await stage.doc()
  await stage.pass(periodEnd - 2 * dayMs - stage.t.clock.now())
  await stage.pass(2 * dayMs + 7 * hourMs)
}
const newCard = async (name: string) => {
  const { customer, subscription } = await stage.doc()
  const { id } = await stage.sdk.paymentMethods.attach(name, { customer })
  await stage.sdk.subscriptions.update(subscription, { default_payment_method: id })
}
const dearer = {
  ...builtInCatalogue,
  version: 2,
  plans: {
    ...builtInCatalogue.plans,
    pro: { ...builtInCatalogue.plans.pro, prices: { month: { usd: '11.00' }, year: { usd: '110.00' } } },
  },
}
/** 10 GB beyond the 50 of the plan, at 0.12 USD. */
const carried = [{ quantity: 10_000, amount: 120 }]

type Row = readonly [
  change: string,
  act: () => Promise<unknown>,
  billed: readonly object[],
  after: object | 'gone',
]
const rows: readonly Row[] = [
  ['the renewal', renew, carried, { state: 'active', plan: 'pro' }],
  [
    'a year instead of months',
    () => stage.change({ plan: 'pro', interval: 'year' }),
    carried,
    { interval: 'year' },
  ],
  // The larger plan's share of the period includes what was carried.
  [
    'a larger plan',
    () => stage.change({ plan: 'team', seats: 3 }).then(renew),
    [],
    { plan: 'team', state: 'active' },
  ],
  ['a smaller cap', () => stage.cap('0').then(renew), carried, { cap: 0, capNow: 0 }],
  [
    'the end that its owner chose',
    () => stage.change({ plan: 'free' }).then(renew),
    carried,
    { state: 'free' },
  ],
  [
    'a move to other terms',
    async () => {
      await stage.act('plans.apply', { file: dearer })
      await stage.act('billing.sync', { apply: true })
      await stage.act('plans.migrate', { apply: true })
      await renew()
      await renew()
    },
    carried,
    { version: 2, state: 'active' },
  ],
  [
    'the deletion of the account',
    async () => {
      await leaveAccount(stage.own(), stage.ada)
      for (let day = 0; day < 16; day++) await stage.pass(dayMs)
    },
    carried,
    'gone',
  ],
  [
    'an operator who closes the account',
    () => setAccountStatus(stage.t.control, stage.ada.account, 'closed').then(stage.settle),
    carried,
    'gone',
  ],
  [
    'a card that fails for two weeks',
    async () => {
      await newCard('pm_card_chargeCustomerFail')
      await renew()
      for (let day = 0; day < 16; day++) await stage.pass(dayMs)
    },
    carried,
    { state: 'free' },
  ],
  [
    'an end at once in the Dashboard',
    async () => {
      await stage.sdk.subscriptions.cancel((await stage.doc()).subscription)
      await stage.pass(7 * hourMs)
    },
    [],
    { state: 'free' },
  ],
  [
    'the deletion of the customer at Stripe',
    async () => {
      await stage.sdk.customers.del((await stage.doc()).customer)
      await stage.pass(7 * hourMs)
    },
    [],
    { state: 'free' },
  ],
]

test.each(rows)(
  'transfer before %s is billed once, or not at all, and nothing differs from Stripe',
  async (_, act, billed, after) => {
    await stage.buy()
    await stage.pass(14 * dayMs + 7 * hourMs)
    await stage.cap('5.00')
    await stage.carry(60)
    expect(stage.transferBilled()).toEqual([])
    await act()
    expect(stage.transferBilled()).toEqual(billed)
    if (after === 'gone') return void (await expect(stage.doc()).rejects.toThrow())
    const doc = await stage.doc()
    expect(doc).toMatchObject(after)
    for (const [index, { from, to }] of doc.timeline.entries()) {
      expect(from, 'spans follow each other').toBeGreaterThanOrEqual(doc.timeline[index - 1]?.to ?? 0)
      expect(to).toBeGreaterThan(from)
    }
    expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
  },
)

test('a trial ends into a paid month, and what was carried in it is never sold', async () => {
  await stage.buy()
  await stage.cap('5.00')
  await stage.carry(3)
  await stage.pass(14 * dayMs + 7 * hourMs)
  await renew()
  expect(await stage.doc()).toMatchObject({ state: 'active', plan: 'pro' })
  expect(stage.transferBilled()).toEqual([])
})

test('a year ends into months with its last day, and seats that are given back with the period', async () => {
  await stage.buy({ plan: 'team', seats: 5 })
  await stage.pass(14 * dayMs + 7 * hourMs)
  await stage.change({ plan: 'team', seats: 3 })
  expect(await stage.rights()).toMatchObject({ seats: 5 })
  await renew()
  expect(await stage.rights()).toMatchObject({ seats: 3 })
  await stage.change({ plan: 'team', seats: 3, interval: 'year' })
  const { periodEnd } = await stage.doc()
  await stage.change({ plan: 'team', seats: 3 })
  expect(await stage.doc()).toMatchObject({ interval: 'year', next: { interval: 'month', at: periodEnd } })
  await renew()
  expect(await stage.doc()).toMatchObject({ interval: 'month', periodStart: periodEnd, seats: 3 })
  expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
})

test('another currency is had by an end and a new purchase, and is refused before', async () => {
  const { free, pro } = builtInCatalogue.plans
  const costs = { ...builtInCatalogue.costs, usdTo: { eur: '0.86' } }
  const transfer = { meter: 'pt_transfer_mb_v1', perGB: { usd: '0.12', eur: '0.11' } }
  const both = {
    ...pro,
    prices: { month: { usd: '9.00', eur: '8.50' } },
    overage: { capMax: { usd: '50.00', eur: '50.00' } },
  }
  await stage.act('plans.apply', {
    file: { ...builtInCatalogue, version: 2, costs, transfer, plans: { free, pro: both } },
  })
  await stage.act('billing.sync', { apply: true })
  await stage.buy()
  await stage.pass(14 * dayMs + 7 * hourMs)
  await expect(stage.buy({ currency: 'eur' })).rejects.toMatchObject({ key: 'billing.twice' })
  await stage.change({ plan: 'free' })
  await renew()
  await stage.buy({ currency: 'eur' })
  expect(await stage.doc()).toMatchObject({ state: 'active', currency: 'eur' })
  expect(stage.totals()[0]).toBe(850)
  expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
})

test('an invoice waits six hours for the usage of the last ones, whatever the Dashboard says', async () => {
  await stage.close()
  stage = await openPayerStage({ finalizeAfter: 3_600 })
  await stage.buy()
  await stage.pass(14 * dayMs + 7 * hourMs)
  await stage.cap('5.00')
  const { periodEnd } = await stage.doc()
  await stage.pass(periodEnd - 4 * hourMs - stage.t.clock.now())
  await stage.carry(60)
  // Stripe tells of the draft as soon as it is made.
  await stage.pass(periodEnd + 10 * 60_000 - stage.t.clock.now())
  await stage.pass(periodEnd + 2 * hourMs - stage.t.clock.now())
  const [draft] = stage.stripe.world.all('invoices').slice(-1)
  expect(draft).toMatchObject({ status: 'draft', automatically_finalizes_at: periodEnd / 1_000 + 6 * 3_600 })
  await stage.pass(5 * hourMs)
  expect(stage.transferBilled()).toEqual(carried)
})

test('the month of transfer of an account that pays is the period that is paid', async () => {
  await stage.buy()
  const owner = (await stage.t.control.store.get(accounts.ref(stage.ada.account)))?.data
  expect(owner?.periodAnchor).toBe((await stage.doc()).periodStart)
})

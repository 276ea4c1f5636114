/** What somebody may try about money: two tabs, other people's customers, and amounts that are none. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { setCap } from '../control/money/capping.ts'
import { startCheckout } from '../control/money/selling.ts'
import { openPayerStage, type PayerStage } from '../testing/payer-stage.ts'

const dayMs = 24 * 3_600_000

let stage: PayerStage
beforeEach(async () => {
  stage = await openPayerStage()
})
afterEach(() => stage.close())

const live = () => stage.stripe.world.all('subscriptions').filter(({ status }) => status !== 'canceled')

test('a payment page that two tabs finish at once is paid once', async () => {
  const choice = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const
  const open = () => startCheckout(stage.t.control, stage.own(), stage.ada, choice)
  const [one, other] = await Promise.all([open(), open()])
  const form = { email: 'ada@example.com', name: 'Ada', country: 'US', number: '4242424242424242' }
  const pay = (url: string) =>
    fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  await Promise.all([pay(one.url), pay(one.url), pay(other.url)])
  await stage.settle()
  expect(live()).toHaveLength(1)
  expect(await stage.doc()).toMatchObject({ state: 'trial', plan: 'pro' })
})

test('a change that two tabs ask for at once is charged once', async () => {
  await stage.buy()
  await stage.pass(15 * dayMs)
  const before = stage.totals().length
  await Promise.allSettled([1, 2].map(() => stage.change({ plan: 'team', seats: 3 })))
  await stage.settle()
  expect(stage.totals()).toHaveLength(before + 1)
  expect(await stage.rights()).toMatchObject({ plan: 'team' })
  expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
})

test('an end and an upgrade in the same second leave what was chosen last', async () => {
  await stage.buy()
  await stage.pass(15 * dayMs)
  await stage.change({ plan: 'free' })
  await stage.change({ plan: 'team', seats: 3 })
  expect(await stage.doc(), 'whoever pays for more goes on').toMatchObject({ plan: 'team', cancelAt: 0 })
  await stage.change({ plan: 'free' })
  expect((await stage.doc()).cancelAt).toBe((await stage.doc()).periodEnd)
  expect(await stage.act('billing.drift', { account: stage.ada.account })).toMatchObject({ drift: [] })
})

test('an upgrade that the card does not pay leaves the end that was chosen', async () => {
  await stage.buy()
  await stage.pass(15 * dayMs)
  await stage.change({ plan: 'free' })
  const { customer, subscription } = await stage.doc()
  const { id } = await stage.sdk.paymentMethods.attach('pm_card_chargeCustomerFail', { customer })
  await stage.sdk.subscriptions.update(subscription, { default_payment_method: id })
  await stage.change({ plan: 'team', seats: 3 }).catch(() => undefined)
  await stage.settle()
  expect(await stage.doc()).toMatchObject({ plan: 'pro', cancelAt: (await stage.doc()).periodEnd })
})

test('a smaller cap than what ran takes nothing back and sells nothing more', async () => {
  await stage.buy()
  await stage.pass(15 * dayMs)
  await stage.cap('5.00')
  await stage.carry(60)
  await stage.pass(dayMs)
  await stage.cap('0.50')
  await stage.carry(20)
  const { periodEnd } = await stage.doc()
  await stage.pass(periodEnd - 2 * dayMs - stage.t.clock.now())
  await stage.pass(2 * dayMs + 7 * 3_600_000)
  expect(stage.transferBilled()).toEqual([{ quantity: 10_000, amount: 120 }])
})

test('what a meter lost is reported again, also when the cap has been nothing for days', async () => {
  await stage.buy()
  await stage.pass(15 * dayMs)
  await stage.cap('5.00')
  await stage.carry(60)
  await stage.pass(dayMs)
  await stage.cap('0')
  await stage.pass(5 * dayMs)
  stage.stripe.world.usage.values.clear()
  const account = stage.ada.account
  const { drift } = (await stage.act('billing.drift', { account })) as { drift: readonly string[] }
  expect(drift).toEqual(['transfer: we reported 10000 MB, Stripe has 0'])
  await stage.settle()
  expect(await stage.act('billing.drift', { account })).toMatchObject({ drift: [] })
})

test('a cap that is no amount, or too much, is refused', async () => {
  await stage.buy()
  for (const text of ['-1', '1e9', '0x10', '999999999', 'NaN', '1,00', ' 5', '', '5.001']) {
    const asked = setCap(stage.t.control, stage.own(), stage.ada, text)
    await expect(asked, text).rejects.toMatchObject({ key: 'billing.cap' })
  }
  expect(await stage.doc()).toMatchObject({ cap: 0 })
})

test('what is not sold cannot be bought', async () => {
  const wrong = [
    { seats: 10_001 },
    { seats: 0 },
    { seats: -3 },
    { plan: '__proto__' },
    { plan: 'unlimited' },
    { plan: 'free' },
    { currency: 'xxx' },
    { currency: 'eur' },
  ]
  for (const choice of wrong)
    await expect(stage.buy(choice), JSON.stringify(choice)).rejects.toMatchObject({
      key: expect.stringMatching(/^(billing.choice|plan.unknown)$/),
    })
  expect(stage.stripe.world.all('sessions')).toEqual([])
})

test('the customer of somebody else is theirs, whatever an event says', async () => {
  await stage.buy()
  const eve = await stage.t.caller('eve@example.com')
  const { customer } = await stage.doc()
  await stage.sdk.customers.update(customer, { metadata: { account: eve.account } })
  await stage.settle()
  await stage.act('billing.replay', { since: new Date(stage.t.clock.now() - dayMs).toISOString() })
  await stage.settle()
  expect(await stage.rights()).toMatchObject({ plan: 'pro' })
  await expect(stage.act('billing.show', { account: eve.account })).rejects.toMatchObject({
    key: 'operator.missing',
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../../standalone/testing/control.ts'
import { fail } from '../../base/errors.ts'
import { accounts } from '../documents.ts'
import { runAct } from '../operator/acts.ts'
import { limitsOf } from '../plans.ts'
import { paymentEvents, subscriptions } from './billing-documents.ts'
import { setCap } from './capping.ts'
import { followCustomer } from './following.ts'
import { receiveEvent } from './inbox.ts'
import { type CustomerState, noCustomer, type PaidSubscription, type Payments } from './payments.ts'
import { noPayments } from './payments-none.ts'
import { startCheckout } from './selling.ts'

const dayMs = 24 * 3_600_000
const gigabyte = 1_000_000_000

/** What the payment service says at this moment; how it comes to say so is the test server's part. */
let truth: CustomerState
let reads: number
let isAway: boolean
const payments: Payments = {
  ...noPayments,
  kind: 'stripe',
  makeCustomer: async () => 'cus_1',
  openCheckout: async () => ({ url: 'https://pay.example.com/1' }),
  readCustomer: async () => {
    reads++
    if (isAway) throw fail('billing.unavailable')
    return truth
  },
}

let t: TestControl
let account: string
let ada: Awaited<ReturnType<TestControl['caller']>>
beforeEach(async () => {
  truth = noCustomer
  reads = 0
  isAway = false
  t = makeTestControl({ plan: 'free', payments })
  await t.openCell()
  ada = await t.caller('ada@example.com')
  account = ada.account
})
afterEach(() => t.close())

const pro = (changes: Partial<PaidSubscription> = {}): PaidSubscription => {
  const start = Math.floor(t.clock.now() / 1_000) * 1_000
  return {
    id: 'sub_1',
    status: 'active',
    createdAt: start,
    items: [
      { item: 'si_1', price: 'pt:pro:1:month:usd', quantity: 1 },
      { item: 'si_2', price: 'pt:transfer:pt_transfer_mb_v1:usd', quantity: 0 },
    ],
    period: { start, end: start + 30 * dayMs },
    trialEnd: 0,
    cancelAt: 0,
    endedAt: 0,
    ...changes,
  }
}
const checkout = () => {
  const choice = { plan: 'pro', interval: 'month', seats: 1, currency: 'usd' } as const
  const user = ada.user && { ...ada.user, emailVerified: true }
  return startCheckout(t.control, t.of(ada), { ...ada, ...(user && { user }) }, choice)
}
const say = async (id = `evt_${reads}`, type = 'customer.subscription.updated') => {
  await receiveEvent(t.control, { id, type, object: 'sub_1', customer: 'cus_1', charge: '' })
  await t.runJobs()
}
const rights = async () => {
  const found = (await t.control.store.get(accounts.ref(account)))?.data
  if (!found) return expect.fail('an account')
  const { tunnelsOnline, transferBytesMonth, seats } = limitsOf(found)
  return { plan: found.plan, tunnelsOnline, gb: transferBytesMonth / gigabyte, seats }
}
const doc = async () => (await t.control.store.get(subscriptions.ref(account)))?.data

describe('a subscription is followed', () => {
  test('what is paid is granted with its event, and its end takes it back', async () => {
    await checkout()
    expect(await rights()).toMatchObject({ plan: 'free', tunnelsOnline: 3 })
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1, lastTotal: 900 }
    await say()
    expect(await rights()).toEqual({ plan: 'pro', tunnelsOnline: 10, gb: 50, seats: 1 })
    expect(await doc()).toMatchObject({ state: 'active', plan: 'pro', timeline: [{ plan: 'pro', cap: 0 }] })
    t.clock.advance(dayMs)
    truth = {
      ...truth,
      subscriptions: truth.subscriptions.map((one) => ({
        ...one,
        status: 'canceled',
        endedAt: t.clock.now(),
      })),
    }
    await say('evt_end')
    expect(await rights()).toMatchObject({ plan: 'free', tunnelsOnline: 3 })
    const [span] = (await doc())?.timeline ?? []
    expect(span && span.to - span.from, 'only the day that was paid for').toBe(dayMs)
  })

  test('a checkout that was not paid changes nothing, whatever an operator gave the account', async () => {
    await runAct(
      { control: t.control, enrolment: t.relayIdentity },
      { act: 'accounts.plan', input: { id: account, plan: 'unlimited' }, operator: 'grace' },
    )
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro({ status: 'incomplete_expired' })] }
    await say()
    expect(await rights()).toMatchObject({ plan: 'unlimited' })
  })

  test('an event waits while the payment service is away, and is handled when it is back', async () => {
    await checkout()
    isAway = true
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1 }
    await say('evt_1')
    expect((await t.control.store.get(paymentEvents.ref('evt_1')))?.data.state).toBe('waiting')
    isAway = false
    t.clock.advance(3_600_000)
    await t.runJobs()
    expect((await t.control.store.get(paymentEvents.ref('evt_1')))?.data.state).toBe('handled')
    expect(await rights()).toMatchObject({ plan: 'pro' })
  })

  test('events in any order, and doubled, end in the same state', async () => {
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1 }
    for (const type of ['invoice.paid', 'customer.subscription.deleted', 'invoice.payment_failed'])
      await say(`evt_${type}`, type)
    const after = await doc()
    for (const type of ['invoice.payment_failed', 'invoice.paid']) await say(`evt_again_${type}`, type)
    expect({ ...(await doc()), syncedAt: 0 }).toEqual({ ...after, syncedAt: 0 })
    expect(after?.state).toBe('active')
  })

  test('an open invoice leaves everything for a week, then what is free, without any further event', async () => {
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1 }
    await say()
    truth = { ...truth, subscriptions: [pro({ status: 'past_due' })], openSince: t.clock.now() }
    await say('evt_failed', 'invoice.payment_failed')
    // The mail is a job that asks for another.
    for (let round = 0; round < 3; round++) await t.runJobs()
    expect(await rights()).toMatchObject({ plan: 'pro', tunnelsOnline: 10 })
    t.clock.advance(6 * dayMs)
    await t.runJobs()
    expect((await doc())?.state).toBe('pastDue')
    t.clock.advance(dayMs + 61_000)
    await t.runJobs()
    expect(await doc()).toMatchObject({ state: 'limited', plan: 'pro' })
    expect(await rights()).toMatchObject({ plan: 'free', tunnelsOnline: 3 })
    for (let round = 0; round < 3; round++) await t.runJobs()
    const mails = t.mails.map(({ subject }) => subject).filter((one) => !/address|confirm/i.test(one))
    expect(mails).toEqual(['An invoice of "ada" is open', '"ada" has what is free'])
    truth = { ...truth, subscriptions: [pro()], openSince: 0 }
    await say('evt_paid', 'invoice.paid')
    expect(await rights()).toMatchObject({ plan: 'pro', tunnelsOnline: 10 })
  })

  test('prices that are no plan of ours change nothing', async () => {
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1 }
    await say()
    const items = [{ item: 'si_1', price: 'price_of_somebody', quantity: 1 }]
    truth = { ...truth, subscriptions: [pro({ items })] }
    await say('evt_strange')
    expect(await rights()).toMatchObject({ plan: 'pro' })
  })

  test('of two that are paid, the older counts', async () => {
    await checkout()
    const team = [{ item: 'si_3', price: 'pt:team:1:month:usd', quantity: 1 }]
    const second = pro({ id: 'sub_2', createdAt: t.clock.now() + 5_000, items: team })
    truth = { ...noCustomer, account, subscriptions: [second, pro()], paidCount: 2 }
    await say()
    expect(await rights()).toMatchObject({ plan: 'pro' })
  })

  test('a trial has its own transfer, and a year sells no more', async () => {
    await checkout()
    truth = {
      ...noCustomer,
      account,
      subscriptions: [pro({ status: 'trialing', trialEnd: t.clock.now() + dayMs })],
    }
    await say()
    expect(await rights()).toMatchObject({ plan: 'pro', gb: 2 })
  })

  test('the customer of nobody is nobody', async () => {
    expect(await followCustomer(t.control, 'cus_other')).toBeUndefined()
  })
})

describe('the cap of further transfer', () => {
  const cap = (text: string) => setCap(t.control, t.of(ada), ada, text).then(() => t.runJobs())

  test('begins at nothing, counts up to the last total at first, and in full after three payments', async () => {
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 1, lastTotal: 900 }
    await say()
    expect(await rights()).toMatchObject({ gb: 50 })
    await cap('12.00')
    expect(await doc()).toMatchObject({ cap: 1_200, capNow: 900 })
    // 9.00 USD at 0.12 a GB.
    expect(await rights()).toMatchObject({ gb: 125 })
    truth = { ...truth, paidCount: 3 }
    await say('evt_third', 'invoice.paid')
    expect(await rights()).toMatchObject({ gb: 150 })
    await cap('0')
    expect(await rights()).toMatchObject({ gb: 50 })
  })

  test('is refused above what the plan lets a month cost, and without a subscription', async () => {
    await expect(cap('1')).rejects.toMatchObject({ key: 'billing.none' })
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 3, lastTotal: 900 }
    await say()
    await expect(cap('50.01')).rejects.toMatchObject({ key: 'billing.cap' })
    await expect(cap('1.001')).rejects.toMatchObject({ key: 'billing.cap' })
    await cap('50.00')
  })

  test('counts no more while a payment is disputed or late', async () => {
    await checkout()
    truth = { ...noCustomer, account, subscriptions: [pro()], paidCount: 3, lastTotal: 900 }
    await say()
    await cap('12.00')
    truth = { ...truth, isDisputed: true }
    await say('evt_dispute')
    expect(await rights()).toMatchObject({ gb: 50 })
    truth = {
      ...truth,
      isDisputed: false,
      subscriptions: [pro({ status: 'past_due' })],
      openSince: t.clock.now(),
    }
    await say('evt_late')
    expect(await rights()).toMatchObject({ gb: 50 })
  })
})

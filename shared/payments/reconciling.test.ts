import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeTestControl, type TestControl } from '../../standalone/testing/control.ts'
import { Secret } from '../base/secret.ts'
import { meterReports, type SubscriptionDoc, subscriptions } from '../control/money/billing-documents.ts'
import { startCheckout } from '../control/money/selling.ts'
import { runAct } from '../control/operator/acts.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { sdkOf } from '../testing/stripe/sdk.ts'
import { startStripe } from '../testing/stripe/server.ts'
import { openPayments } from './open.ts'

const dayMs = 24 * 3_600_000

let stripe: Awaited<ReturnType<typeof startStripe>>
let clock: FakeClock
let t: TestControl
let account: string
beforeEach(async () => {
  clock = new FakeClock()
  stripe = await startStripe({ clock })
  t = makeTestControl({
    plan: 'free',
    payments: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }),
  })
  clock.advance(t.clock.now() - clock.now())
  await t.openCell()
  await act('billing.sync', { apply: true })
  const ada = await t.caller('ada@example.com')
  account = ada.account
  const person = { ...ada, ...(ada.user && { user: { ...ada.user, emailVerified: true } }) }
  const choice = { plan: 'team', interval: 'month', seats: 4, currency: 'usd' } as const
  const { url } = await startCheckout(t.control, t.of(ada), person, choice)
  const form = { email: 'ada@example.com', name: 'Ada', country: 'US', number: '4242424242424242' }
  await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  await look()
  advance(15 * dayMs)
  await look()
})
afterEach(async () => {
  await t.close()
  await stripe.close()
})

const act = (name: string, input: object) =>
  runAct({ control: t.control, enrolment: t.relayIdentity }, { act: name, input, operator: 'grace' })
const advance = (ms: number) => {
  clock.advance(ms)
  t.clock.advance(ms)
  stripe.catchUp()
}
/** Without any webhook: an operator asks. */
const look = () => act('billing.show', { account })
const doc = async () =>
  (await t.control.store.get(subscriptions.ref(account)))?.data ?? expect.fail('a subscription')
const set = async (fields: Partial<SubscriptionDoc>) =>
  t.control.store.update(subscriptions.ref(account), fields)

test('what agrees has no drift, and is looked at again in two weeks', async () => {
  await t.runJobs()
  expect((await doc()).state).toBe('active')
  expect(await act('billing.drift', { account })).toEqual({ account, drift: [] })
  expect(await act('billing.drift', {})).toEqual({ accounts: [], more: false })
  expect((await doc()).checkedAt).toBe(t.clock.now())
})

test('a change that nobody told us of is found, put right, and listed until it differs no more', async () => {
  const sdk = sdkOf(stripe)
  await sdk.subscriptions.update((await doc()).subscription, { cancel_at_period_end: true })
  await set({ checkedAt: 0 })
  await t.runJobs()
  const { cancelAt, drift, periodEnd } = await doc()
  expect(cancelAt, 'put right').toBe(periodEnd)
  expect(drift).toEqual([`cancelAt: we had 0, Stripe has ${periodEnd}`])
  expect(await act('billing.drift', {})).toMatchObject({ accounts: [{ account, drift }], more: false })
  advance(dayMs + 3_600_000)
  await t.runJobs()
  expect(await act('billing.drift', {})).toEqual({ accounts: [], more: false })
  expect(await doc()).not.toHaveProperty('drift')
})

test('lines that bill() does not have are found, and so are those that Stripe lacks', async () => {
  const { timeline } = await doc()
  await set({ timeline: timeline.map((span) => ({ ...span, seats: 5 })) })
  const { drift } = (await act('billing.drift', { account })) as { drift: string[] }
  const has = (shape: RegExp) => expect(drift).toContainEqual(expect.stringMatching(shape))
  has(/^bill\(\) has 2 x pt:team-seats:1:month:usd for 1800/)
  has(/^Stripe has 1 x pt:team-seats:1:month:usd for 900/)
})

test('transfer that Stripe has not counted is found, and reported once more', async () => {
  advance(2 * dayMs)
  const { periodStart } = await doc()
  const hour = Math.ceil(periodStart / 3_600_000) * 3_600_000
  const ref = meterReports.ref(`${account}:${hour}`)
  const ttl = new Date(t.clock.now() + dayMs)
  await t.control.store.create(ref, { account, hour, megabytes: 7, revision: 1, sent: 1, ttl })
  const { drift } = (await act('billing.drift', { account })) as { drift: string[] }
  expect(drift).toEqual(['transfer: we reported 7 MB, Stripe has 0'])
  expect((await t.control.store.get(ref))?.data).toMatchObject({ megabytes: 7, revision: 2, sent: 1 })
})

test('when many differ nothing is put right', async () => {
  const { store } = t.control
  const mine = await doc()
  for (let other = 0; other < 20; other++) {
    const ref = subscriptions.ref(`acc_other${other}`)
    const kept = { ...mine, account: ref.id, drift: ['plan'], driftAt: 1 + other, checkedAt: t.clock.now() }
    await store.create(ref, kept)
  }
  await sdkOf(stripe).subscriptions.update(mine.subscription, { cancel_at_period_end: true })
  await set({ checkedAt: 0 })
  await t.runJobs()
  expect(await doc()).toMatchObject({
    cancelAt: 0,
    drift: [/^cancelAt/].map((shape) => expect.stringMatching(shape)),
  })
  expect(await act('billing.drift', {})).toMatchObject({ more: true })
})

test('a plan is not given to an account that pays for one', async () => {
  const given = act('accounts.plan', { id: account, plan: 'pro' })
  await expect(given).rejects.toMatchObject({ key: 'billing.pays' })
})
